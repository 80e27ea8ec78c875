"""Bodies are read within bounds, in whatever pieces they come."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Mapping

import pytest
from starlette.types import Message

from extracted.wire.body import BodyRefused, read

JSON = {"content-type": "application/json", "transfer-encoding": "chunked"}
MOST_BYTES = 102_400


async def value_of(fields: Mapping[str, str], *chunks: bytes, cut_off: bool = False) -> object:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if cut_off else {"type": "http.request", "body": b""})
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return await read(fields, receive)


async def refused(fields: Mapping[str, str], *chunks: bytes) -> tuple[int, bytes]:
    with pytest.raises(BodyRefused) as error:
        await value_of(fields, *chunks)
    return error.value.answer.status, error.value.answer.body


async def test_a_body_in_pieces_is_one_value() -> None:
    whole = '{"é": "\U0001f600"}'
    assert await value_of(JSON, *(bytes([byte]) for byte in whole.encode())) == {"é": "\U0001f600"}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_in_pieces_is_one_value(coding: str) -> None:
    packed = (gzip if coding == "gzip" else zlib).compress(b'{"a": 1}')
    assert await value_of(JSON | {"content-encoding": coding}, *(bytes([b]) for b in packed)) == {"a": 1}


async def test_exactly_as_much_as_allowed_is_read_and_no_byte_more() -> None:
    assert await value_of(JSON, b"[" + b" " * (MOST_BYTES - 2), b"]") == []
    too_large = (413, b'{"statusCode":413,"message":"request entity too large"}')
    assert await refused(JSON, b"[" + b" " * (MOST_BYTES - 1), b"]") == too_large
    packed = gzip.compress(b"[" + b" " * (MOST_BYTES - 1) + b"]")
    assert await refused(JSON | {"content-encoding": "gzip"}, packed) == too_large


async def test_a_declared_length_too_large_is_refused_unread() -> None:
    async def receive() -> Message:
        raise AssertionError("read")

    fields = {"content-type": "application/json", "content-length": str(MOST_BYTES + 1)}
    with pytest.raises(BodyRefused):
        await read(fields, receive)


async def test_what_unpacks_to_very_much_takes_no_memory() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        await refused(JSON | {"content-encoding": "gzip"}, bomb)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "fields",
    [
        {"content-type": "text/plain", "content-length": "5"},
        {"content-type": "application/json"},
        {"content-length": "5"},
        {"content-type": "application/json", "content-length": "x"},
    ],
)
async def test_every_other_body_stays_unread(fields: dict[str, str]) -> None:
    async def receive() -> Message:
        raise AssertionError("read")

    assert await read(fields, receive) == {}


async def test_an_empty_body_is_an_empty_object_and_a_form_is_read_as_a_query() -> None:
    assert await value_of(JSON, b"") == {}
    form = {"content-type": "application/x-www-form-urlencoded", "transfer-encoding": "chunked"}
    assert await value_of(form, b"a=b+c&d[]=%C3%A9&a=x") == {"a": ["b c", "x"], "d": ["é"]}


async def test_a_client_that_leaves_ends_the_reading() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(BodyRefused):
            await value_of(JSON, b"[1", cut_off=True)
