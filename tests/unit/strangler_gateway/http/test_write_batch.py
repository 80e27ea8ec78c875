"""Writes are collected over one turn of the loop, in order, and never held back where that would cost memory."""

import asyncio

import pytest

from strangler_gateway.http.write_batch import Output, WriteBatch


class Transport:
    """Remembers what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def output(transport: Transport) -> Output:
    return Output(WriteBatch(), transport)  # type: ignore[arg-type]  # all that it is asked for


async def test_what_one_turn_brings_leaves_in_one_write(output: Output, transport: Transport) -> None:
    for piece in (b"a", b"b", b"c"):
        output.put(piece)
        output.soon()
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [b"abc"]
    output.put(b"d")
    output.soon()
    await asyncio.sleep(0)
    assert transport.written == [b"abc", b"d"]


async def test_now_writes_before_the_turn_ends_and_only_once(output: Output, transport: Transport) -> None:
    output.put(b"a")
    output.soon()
    output.now()
    await asyncio.sleep(0)
    assert transport.written == [b"a"]


async def test_much_is_written_at_once(output: Output, transport: Transport) -> None:
    output.put(b"x" * 70_000)
    output.soon()
    assert len(transport.written) == 1


async def test_a_closing_transport_and_a_dropped_output_get_nothing(output: Output, transport: Transport) -> None:
    output.put(b"a")
    output.soon()
    output.drop()
    await asyncio.sleep(0)
    transport.closing = True
    output.put(b"b")
    output.now()
    assert transport.written == []
