"""Bodies are read within bounds, in whatever pieces they come."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Mapping

import pytest
from starlette.types import Message

from extracted.wire.body import BodyRefused, read
from extracted.wire.jsontext import stringify
from tests.support.monolith.query_strings import FORMS

JSON = {"content-type": "application/json", "transfer-encoding": "chunked"}
FORM = {"content-type": "application/x-www-form-urlencoded", "transfer-encoding": "chunked"}
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


@pytest.mark.parametrize(("coding", "pack"), [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_in_pieces_is_one_value(coding: str, pack: Callable[[bytes], bytes]) -> None:
    whole = pack('{"é": "\U0001f600"}'.encode())
    assert await value_of(JSON | {"content-encoding": coding}, *(bytes([byte]) for byte in whole)) == {
        "é": "\U0001f600"
    }


async def test_exactly_as_much_as_allowed_is_read_and_no_byte_more() -> None:
    assert await value_of(JSON, b"[" + b" " * (MOST_BYTES - 2), b"]") == []
    too_large = (413, b'{"statusCode":413,"message":"request entity too large"}')
    assert await refused(JSON, b"[" + b" " * (MOST_BYTES - 1), b"]") == too_large
    packed = gzip.compress(b"[" + b" " * (MOST_BYTES - 1) + b"]")
    assert await refused(JSON | {"content-encoding": "gzip"}, packed) == too_large


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
async def test_every_other_body_and_one_declared_too_large_stays_unread(fields: dict[str, str]) -> None:
    async def receive() -> Message:
        raise AssertionError("read")

    assert await read(fields, receive) == {}
    with pytest.raises(BodyRefused):
        await read({"content-type": "application/json", "content-length": str(MOST_BYTES + 1)}, receive)


@pytest.mark.parametrize(
    ("text", "value"), [*FORMS.items(), ("a=b+c&d[]=%C3%A9&a=x", '{"a":["b c","x"],"d":["é"]}'), ("", "{}")]
)
async def test_a_form_nests_deeper_than_a_query_and_has_longer_lists(text: str, value: str) -> None:
    assert stringify(await value_of(FORM, text.encode())).decode() == value


async def test_a_form_nested_beyond_all_bounds_is_no_object_and_an_empty_body_an_empty_one() -> None:
    assert await value_of(FORM, b"a" + b"[b]" * 30_000) == ()
    assert await value_of(JSON, b"") == {}


TYPES = {
    'application/json;charset="utf-8"': True,
    'application/json; charset=""': True,
    "application/json ; charset = UTF-8 ; x=y": True,
    'application/json; x="a;charset=latin1"': True,
    "application/json; charset=latin1; charset=utf-8": True,
    "application/json; charset=utf-_8": True,
    "application/json; charset=": False,
    "application/json; charset": False,
    "application/json;": False,
    "application/json, text/plain": False,
}


@pytest.mark.parametrize(("field", "known"), TYPES.items())
async def test_a_type_that_is_not_well_formed_is_none(field: str, known: bool) -> None:
    assert await value_of(JSON | {"content-type": field}, b'{"a":1}') == ({"a": 1} if known else {})


PACKED = gzip.compress(b'{"a": 1}')
GZIPPED = {
    "two members": (gzip.compress(b'{"a"') + gzip.compress(b": 1}"), ""),
    "padding": (PACKED + bytes(20) + b"x", ""),
    "garbage behind": (PACKED + b"garbage", "incorrect header check"),
    "one byte behind": (PACKED + b"x", "unexpected end of file"),
    "half a member behind": (PACKED + PACKED[:10], "unexpected end of file"),
    "nothing": (b"", "unexpected end of file"),
}


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("name", GZIPPED)
async def test_gzip_goes_on_behind_a_member(name: str, step: int) -> None:
    content, told = GZIPPED[name]
    chunks = [content[at : at + step] for at in range(0, len(content), step)]
    fields = JSON | {"content-encoding": "gzip"}
    if told:
        assert json.loads((await refused(fields, *chunks))[1])["message"] == told
    else:
        assert await value_of(fields, *chunks) == {"a": 1}
    deflated = zlib.compress(b'{"a": 1}') + b"x"  # what follows a zlib stream counts for nothing
    assert await value_of(JSON | {"content-encoding": "deflate"}, deflated) == {"a": 1}


async def test_a_sign_beyond_the_bmp_is_told_by_its_first_half() -> None:
    for text in ("\U0001f600", '{"a":\U0001f600}'):
        assert b"Unexpected token \\ud83d in JSON" in (await refused(JSON, text.encode()))[1]


async def test_a_client_that_leaves_ends_the_reading() -> None:
    async with asyncio.timeout(60):
        with pytest.raises(BodyRefused):
            await value_of(JSON, b"[1", cut_off=True)
