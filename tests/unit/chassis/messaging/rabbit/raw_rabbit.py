"""Messages for RabbitMQ whose properties no library would write."""

import struct
from collections.abc import Mapping
from dataclasses import replace

import aiormq
import pamqp.frame
from aiormq.abc import ChannelFrame
from pamqp import commands
from pamqp.body import ContentBody

from tests.support.messaging import TYPE


def short(raw: bytes) -> bytes:
    return bytes([len(raw)]) + raw


def long(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def field(name: bytes, kind: bytes, value: bytes) -> bytes:
    return short(name) + kind + value


def properties(**raw: bytes) -> bytes:
    """With an id, a type and a time, where nothing else is wanted for them."""
    time = field(b"time", b"S", long(b"2026-11-24T00:00:00+00:00"))
    usual = {"message_id": short(b"raw-1"), "message_type": short(TYPE.encode()), "headers": long(time)}
    return bytes_of(usual | raw)


def bytes_of(raw: Mapping[str, bytes]) -> bytes:
    known = commands.Basic.Properties
    flags = sum(known.flags[name] for name in raw)
    return struct.pack(">H", flags) + b"".join(raw[name] for name in known.__slots__ if name in raw)


async def put(url: str, exchange: str, key: str, raw: bytes, body: bytes = b"{}") -> None:
    """Returns when the broker has it."""
    connection = await aiormq.connect(url)
    channel = await connection.channel(publisher_confirms=False)
    header = struct.pack(">HHQ", commands.Basic.frame_id, 0, len(body)) + raw
    frames = (
        pamqp.frame.marshal(commands.Basic.Publish(exchange=exchange, routing_key=key), channel.number),
        struct.pack(">BHI", 2, channel.number, len(header)) + header + b"\xce",
        pamqp.frame.marshal(ContentBody(body), channel.number),
    )
    sent = ChannelFrame.marshall(channel.number, [commands.Basic.Publish()])
    await connection.write_queue.put(replace(sent, payload=b"".join(frames)))
    await channel.basic_qos(prefetch_count=1)  # answered after it
    await connection.close()
