"""A whole request through the fast lane without sockets: the protocol classes between transports that only remember.

What is left of the gateway when the kernel and the event loop cost nothing; steadier than any figure under load.
"""

import asyncio
import gc
import timeit
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from strangler_gateway.pipeline import Gateway
from strangler_gateway.routes import Service
from strangler_gateway.server import ClientConnection
from strangler_gateway.upstream import Connection


class Remembering:
    """A transport that keeps what was written last."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written = data

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 40000) if name == "peername" else None

    def is_closing(self) -> bool:
        return False


class FastLane:
    """One client connection and one pooled upstream connection, ready for request after request."""

    def __init__(self, gateway: Gateway, service: Service, response: bytes) -> None:
        self._client_side, self._upstream_side = Remembering(), Remembering()
        config = SimpleNamespace(loaded_app=None)
        state = SimpleNamespace(connections=set(), tasks=set())
        loop = cast(asyncio.AbstractEventLoop, object())  # nothing here waits
        self._client = ClientConnection(gateway, config, state, None, loop)
        self._client.connection_made(cast(Any, self._client_side))
        pool = gateway.upstreams.pool(service)
        self._upstream = Connection(pool)
        self._upstream.connection_made(cast(Any, self._upstream_side))
        pool.open = 1
        pool.release(self._upstream, 3600.0)
        self._response = response

    def exchange(self, request: bytes) -> tuple[bytes, bytes]:
        """What went to the upstream, and what came to the client."""
        self._client.data_received(request)
        self._upstream.data_received(self._response)
        return self._upstream_side.written, self._client_side.written


def cost_us(call: Callable[[], object], number: int = 5000, repeats: int = 7) -> float:
    """The best of several repeats, garbage collection included."""
    return min(timeit.repeat(call, gc.enable, number=number, repeat=repeats)) / number * 1e6


def collections_for_each(call: Callable[[], object], number: int = 20000) -> float:
    """Objects in cycles, which only the garbage collector can free, left behind by each call."""
    gc.collect()
    before = _collected()
    for _ in range(number):
        call()
    gc.collect()
    return (_collected() - before) / number


def _collected() -> int:
    return sum(int(generation["collected"]) for generation in gc.get_stats())
