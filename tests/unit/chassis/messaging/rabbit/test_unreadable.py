"""Messages whose properties cannot be read: handed over with what can, acknowledged, and in nobody's way."""

import ast
import asyncio
import struct
from datetime import UTC, datetime
from functools import reduce

import pytest

from chassis.messaging.envelope import MessageInvalid
from chassis.messaging.rabbit.raw_properties import read
from tests.support.connected import fresh_rabbit
from tests.support.messaging import JUST_THINGS, THINGS, TYPE, Collector, thing, until
from tests.unit.chassis.messaging.rabbit.raw_rabbit import bytes_of, field, long, properties, put, short
from tests.unit.chassis.messaging.rabbit.scene import Opened

JUNK = b"\xff\xfe\x1b[31m\x00"
DEEP = reduce(lambda inner, _: long(field(b"a", b"F", inner)), range(1500), long(b""))
UNREADABLE = {
    "an id": properties(message_id=short(JUNK)),
    "a type": properties(message_type=short(JUNK)),
    "what nobody here reads": properties(content_type=short(JUNK), cluster_id=short(JUNK)),
    "a header's name": properties(headers=long(field(JUNK, b"S", long(b"x")))),
    "a date": properties(timestamp=struct.pack(">Q", 2**64 - 1)),
    "tables in tables": properties(headers=DEEP),
}


@pytest.mark.connected
@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("queue", [THINGS.name, THINGS.dead])
async def test_it_is_handed_over_like_any_other_and_those_around_it_too(opened: Opened, queue: str, raw: bytes) -> None:
    url = fresh_rabbit()
    broker, keeper = opened(url), Collector()
    await broker.declare(JUST_THINGS)
    exchange, key = (THINGS.exchange, TYPE) if queue == THINGS.name else (THINGS.dead, THINGS.dead)
    before, after = thing(), thing()
    await broker.publish(exchange, before, routing_key=key)
    await put(url, exchange, key, raw, b'{"n": 1}')
    await broker.publish(exchange, after, routing_key=key)
    await broker.consume(queue, keeper)
    await until(lambda: len(keeper.handled) == 3)
    first, it, last = keeper.handled
    assert (first.envelope(), last.envelope()) == (before, after)
    assert (it.body, [delivery.count for delivery in keeper.begun]) == (b'{"n": 1}', [0, 0, 0])
    assert ast.literal_eval(str(it.properties["received"])) == raw[:4096]
    with pytest.raises(MessageInvalid, match=r"the properties cannot be read \("):
        it.envelope()

    async def is_empty() -> bool:
        return await broker.depth(queue) == 0

    await until(is_empty)


@pytest.mark.connected
async def test_a_dead_letter_that_cannot_be_read_says_why_it_died(opened: Opened) -> None:
    url = fresh_rabbit()
    broker, dead = opened(url), Collector()
    await broker.declare(JUST_THINGS)
    await broker.consume(THINGS.name, Collector(fails=100))
    await put(url, THINGS.exchange, TYPE, properties(message_id=short(JUNK)))
    await broker.consume(THINGS.dead, dead)
    await until(lambda: bool(dead.handled))
    (it,) = dead.handled
    assert (it.died, it.properties["id"]) == ("delivery_limit in things", "\\xff\\xfe\x1b[31m\x00")


@pytest.mark.connected
async def test_as_a_reply_it_is_in_nobodys_way(opened: Opened) -> None:
    url = fresh_rabbit()
    broker, keeper = opened(url), Collector()
    key = await broker.replies("answers", keeper)
    await put(url, "answers", key, UNREADABLE["an id"])
    await broker.publish("answers", sent := thing(), routing_key=key, persistent=False)
    await until(lambda: len(keeper.handled) == 2)
    assert keeper.handled[-1].envelope() == sent


@pytest.mark.parametrize(("scheme", "first"), [("amqp", b"A"), ("amqps", b"\x16")])  # AMQP; a handshake of TLS
async def test_a_consumer_speaks_what_its_url_says(opened: Opened, scheme: str, first: bytes) -> None:
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.put_nowait(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await opened(f"{scheme}://u:p@127.0.0.1:{port}/v").consume("things", Collector())
        assert await asyncio.wait_for(said.get(), 60) == first


def test_what_can_be_read_is_shown_and_what_cannot_has_escapes() -> None:
    headers = field(b"\xffkey", b"S", long(b"1"))
    raw = properties(reply_to=short(b"back\xfe"), headers=long(headers), timestamp=struct.pack(">Q", 1_700_000_000))
    seen, fault = read(raw)
    assert (fault, seen.headers) == ("UnicodeDecodeError", None)
    assert (seen.message_id, seen.message_type, seen.reply_to) == ("raw-1", TYPE, "back\\xfe")
    assert seen.timestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\xff\xff", b"\xff\xfc\x05", b"\x20\x00\xff\xff\xff\xff\x01"])
def test_properties_that_end_too_early_raise_nothing(raw: bytes) -> None:
    assert read(raw)[1] or not raw


def test_properties_that_can_be_read_are_read_as_the_library_does() -> None:
    seen, fault = read(bytes_of({"message_id": short(b"1"), "delivery_mode": b"\x02"}))
    assert (seen.message_id, seen.delivery_mode, seen.message_type, fault) == ("1", 2, None, None)
