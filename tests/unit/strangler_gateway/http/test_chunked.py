"""The chunked coding: any split of the bytes decodes to the same; what is not exactly it is refused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.http.chunked import ChunkedDecoder, encode, last
from strangler_gateway.http.fields import Malformed


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, ChunkedDecoder]:
    decoder, body, rest = ChunkedDecoder(1000), b"", b""
    for piece in pieces:
        if decoder.done:
            rest += piece
            continue
        more, rest = decoder.feed(piece)
        body += more
    return body, rest, decoder


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 300), max_size=8))
def test_any_split_decodes_to_the_same_body(chunks: list[bytes], cuts: list[int]) -> None:
    raw = b"".join(encode(c) for c in chunks) + last([(b"X-T", b"1")]) + b"NEXT"
    edges = sorted({0, len(raw), *(min(c, len(raw)) for c in cuts)})
    body, rest, decoder = decode([raw[a:b] for a, b in pairwise(edges)])
    assert (body, rest, decoder.done) == (b"".join(chunks), b"NEXT", True)
    assert decoder.trailers == [(b"X-T", b"1")]


@given(st.integers(1, 6))
def test_byte_by_byte_decodes_too(size: int) -> None:
    raw = b"5;ext=1\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n"
    body, _rest, decoder = decode([raw[i : i + size] for i in range(0, len(raw), size)])
    assert (body, decoder.done, decoder.trailers) == (b"hello", True, [(b"A", b"b"), (b"C", b"d")])


@pytest.mark.parametrize(
    "raw",
    [
        b"0x1\r\na\r\n0\r\n\r\n",
        b"+1\r\na\r\n",
        b"-1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1\na\n0\n\n",
        b"1 \r\na\r\n0\r\n\r\n",
        b"1;a\nb\r\na\r\n",
        b"1;a\0\r\na\r\n",
        b"1\r\nab\r\n",
        b"1\r\naXX0\r\n\r\n",
        b"\r\n",
        b"g\r\n",
        b"1" * 16 + b"\r\n",
        b"1;" + b"x" * 5000,
        b"0\r\nA : b\r\n\r\n",
        b"0\r\nA: b\nC: d\r\n\r\n",
        b"0\r\nA: " + b"x" * 2000,
        b"".join(b"1;%b\r\na\r\n" % (b"x" * 3000) for _ in range(6)),
    ],
)
def test_what_is_not_exactly_chunked_is_refused(raw: bytes) -> None:
    """RFC 9112 §7.1 and §7.1.1: also the total length of extensions is bounded."""
    with pytest.raises(Malformed):
        decode([raw])
    with pytest.raises(Malformed):
        decode([raw[i : i + 1] for i in range(len(raw))])
