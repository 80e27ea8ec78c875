"""What is published at the same moment leaves as one packet, and nothing is kept back for it."""

import asyncio
from typing import Any

from chassis.messaging.rabbit.batched_writer import BatchedWriter


class Transport(asyncio.Transport):
    """Keeps what it is given, packet by packet."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.packets.append(bytes(data))

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader())

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def writer_to_transport() -> tuple[Transport, BatchedWriter]:
    transport, reader = Transport(), asyncio.StreamReader()
    inner = asyncio.StreamWriter(transport, transport.get_protocol(), reader, asyncio.get_running_loop())
    return transport, BatchedWriter(inner, reader)


async def test_what_is_written_in_one_turn_of_the_loop_is_one_packet_in_its_order() -> None:
    transport, writer = writer_to_transport()
    for turn in (b"one ", b"more "):
        for data in (turn, b"and ", b"on"):
            writer.write(data)
        assert turn not in transport.packets
        await asyncio.sleep(0)
    writer.close()
    assert transport.packets == [b"one and on", b"more and on"]


async def test_what_is_written_before_the_end_goes_before_it() -> None:
    transport, writer = writer_to_transport()
    writer.write(b"close")
    writer.close()
    assert (transport.packets, transport.is_closed) == ([b"close"], True)
    await asyncio.sleep(0)
    assert transport.packets == [b"close"]
