"""A connection to a service is kept for the next call only in the state in which it began."""

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import Nobody
from strangler_gateway.upstream.connections.connection import UpstreamConnection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


class Transport:
    """Remembers whether it reads; nothing waits on its socket."""

    def __init__(self, silent: int) -> None:
        self._socket = SimpleNamespace(fileno=lambda: silent)
        self.reads = True

    def get_extra_info(self, name: str) -> object:
        return self._socket if name == "socket" else None

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        """Goes nowhere."""

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def silent(pipe: tuple[int, int]) -> int:
    return pipe[0]


async def test_a_connection_with_something_to_read_is_not_used_again_r6(pipe: tuple[int, int]) -> None:
    """The loop may not have seen it yet; it would read it behind the next request, and take it for the answer."""
    balancer = Balancer(Service("m", "http", "127.0.0.1", 1), time.monotonic, 65536, WriteBatch())
    (pool,) = balancer.pools
    connection = UpstreamConnection(pool)
    connection.connection_made(cast(Any, Transport(pipe[0])))
    pool.release(connection, pool.now(), 60.0)
    os.write(pipe[1], b"\n")
    assert not connection.usable(0.0)
    os.read(pipe[0], 1)
    assert connection.usable(0.0)


async def test_a_connection_that_was_paused_for_a_slow_client_reads_again_when_its_call_ends_c7(silent: int) -> None:
    balancer = Balancer(Service("m", "http", "127.0.0.1", 1), time.monotonic, 65536, WriteBatch())
    (pool,) = balancer.pools
    transport, connection = Transport(silent), UpstreamConnection(pool)
    connection.connection_made(cast(Any, transport))
    pool.open += 1
    pool.release(connection, pool.now(), 60.0)
    call = balancer.send(Nobody(), b"GET", b"/", b"GET / HTTP/1.1\r\n\r\n", complete=True)
    connection.data_received(ANSWER + b"ab")
    call.pause()
    assert not transport.reads
    connection.data_received(b"cd")  # was on its way when reading paused
    assert (call.ended, pool.idle, transport.reads) == (True, [connection], True)
