"""The chunked coding: any split of the bytes decodes to the same; what is not exactly it is refused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.http.chunked import AnswerDecoder, ChunkedDecoder, encode, last
from strangler_gateway.http.fields import Malformed


def decode(pieces: list[bytes], decoder: ChunkedDecoder | None = None) -> tuple[bytes, bytes, ChunkedDecoder]:
    decoder, body, rest = decoder or ChunkedDecoder(1000), b"", b""
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
    ("raw", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"0005;x=y\r\nhello\r\n000;z\r\n\r\n", b"hello"),
        (b'5;n="a;b\\"c";m\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
    ],
)
def test_sizes_in_hex_with_zeros_and_extensions_are_read(raw: bytes, body: bytes) -> None:
    seen, _rest, decoder = decode([raw])
    assert (seen, decoder.done) == (body, True)


END = b"\r\nhello\r\n0\r\n\r\n"
SIZES = [
    b"0x5", b"+5", b"-5", b"", b" 5", b"5 5", b"5_0", b"g", b"5h", b"\xef\xbc\x95", b"5\x00", b"5,", b"5;a\nb",
    b"5;a\rb",
    b"5;\x00", b'5;a="b\n"', b'5;a="b\r\n"', b"5;\n", b"5\n;", b"F" * 17, b"10000000000000005", b"0" * 44 + b"g",
    b"5.0",
    b"5\x0b", b"\x0b5", b"garbage that is no chunk at all", b"GET / HTTP/1.1", b"-0", b"+0", b"0x0", b"0 0", b"5 ",
]  # fmt: skip
WHOLE = [
    b"1\na\n0\n\n", b"1;a\nb\r\na\r\n", b"1\r\nab\r\n", b"1\r\naXX0\r\n\r\n", b"\r\n", b"1" * 16 + b"\r\n",
    b"1;" + b"x" * 5000,
    b"0\r\nA : b\r\n\r\n", b"0\r\nA: b\nC: d\r\n\r\n", b"0\r\nA: " + b"x" * 2000, b"0\r\nX: y\n\r\n",
    b"0\r\n\r\rX\r\n\r\n",
    b"0\rX\r\n\r\n", b"5\nhello\r\n", b"5\r\nhello\n0\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n",
    b"5\rhello\r\n0\r\n", b"5\r\nhello0\r\n", b"5\r\nhello\r\r0", b"5\r\nhello\n\n0", b"5\r\nhello\r\nX\r\n",
    b"5\r\nhello \r\n", b"5\r\nhell\r\n0\r\n", b"5\r\nhello!\r\n", b";a\r\n\r\n", b"0\r\n X: 1\r\n\r\n",
    b"0\r\nbad line\r\n\r\n", b"0\r\n: 1\r\n\r\n", b"0\r\nX: a\0b\r\n\r\n", b"0\r\nX: a\rb\r\n\r\n",
    b"0\r\nX: 1\r\n folded\r\n\r\n", b"".join(b"1;%b\r\na\r\n" % (b"x" * 3000) for _ in range(6)),
]  # fmt: skip


@pytest.mark.parametrize(
    "raw", [*WHOLE, *(size + END for size in SIZES), *(b"3\r\nabc\r\n" + size + END for size in SIZES)]
)
def test_what_is_not_exactly_chunked_is_refused(raw: bytes) -> None:
    """RFC 9112 §7.1 and §7.1.1: also the total length of extensions is bounded."""
    for step in (len(raw), 1):
        with pytest.raises(Malformed):
            decode([raw[i : i + step] for i in range(0, len(raw), step)])


ANSWERED = [
    (b"5 \r\nhello\r\n0  \r\n\r\n", [], False),
    (b"5 \t;a=b\r\nhello\r\n0\r\nX-T : 1\r\n\r\n", [(b"X-T", b"1")], False),
    (b"5\r\nhello\r\n0\r\nX-T: 1\r\n 2\r\n\r\n", [(b"X-T", b"1 2")], False),
    (b"5\nhello\n0\n\n", [], True),
    (b"5 \nhello\r\n0\r\n\n", [], True),
    (b"5\r\nhello\n0\nX-T: 1\nX-U : 2\n\n", [(b"X-T", b"1"), (b"X-U", b"2")], True),
]


@pytest.mark.parametrize(("raw", "trailers", "is_lenient"), ANSWERED)
def test_an_answer_may_be_chunked_as_old_servers_do(
    raw: bytes, trailers: list[tuple[bytes, bytes]], is_lenient: bool
) -> None:
    for step in (len(raw), 1):
        pieces = [raw[i : i + step] for i in range(0, len(raw), step)]
        body, _rest, decoder = decode(pieces, AnswerDecoder(1000, is_lenient))
        assert (body, decoder.done, decoder.trailers) == (b"hello", True, trailers)
        with pytest.raises(Malformed):
            decode(pieces, AnswerDecoder(1000, False) if is_lenient else None)


SPACED = (b"5 " + END, b"0\r\nA : b\r\n\r\n", b"0\r\nX: 1\r\n folded\r\n\r\n")


@pytest.mark.parametrize("raw", [row for row in (*WHOLE, *(size + END for size in SIZES)) if row not in SPACED])
def test_what_no_old_server_does_is_refused_in_an_answer_too(raw: bytes) -> None:
    for step in (len(raw), 1):
        with pytest.raises(Malformed):
            decode([raw[i : i + step] for i in range(0, len(raw), step)], AnswerDecoder(1000, False))


@pytest.mark.parametrize(
    "raw", [b"1\na\r0\n\n", b"1\nab\n0\n\n", b"1;a\rb\na\n", b"0\nX: a\rb\n\n", b"0\nX: " + b"x" * 2000]
)
def test_lenient_is_not_arbitrary(raw: bytes) -> None:
    for step in (len(raw), 1):
        with pytest.raises(Malformed):
            decode([raw[i : i + step] for i in range(0, len(raw), step)], AnswerDecoder(1000, True))
