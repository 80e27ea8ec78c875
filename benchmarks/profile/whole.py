"""A whole request without sockets: the protocol classes between transports that only remember.

What is left of the gateway when the kernel and the event loop cost nothing; steadier than any figure under load.
"""

import asyncio
import gc
import os
import timeit
from asyncio.events import _set_running_loop
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from types import SimpleNamespace
from typing import Any, cast

from strangler_gateway.gateway import Gateway
from strangler_gateway.server.connection import ClientConnection
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.connections.connection import UpstreamConnection

_SILENT_END, _ = os.pipe()
_SILENT = SimpleNamespace(fileno=lambda: _SILENT_END)


class RecordingTransport:
    """A transport that keeps what was written last; nothing ever waits to be read on its socket."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written = data

    def get_extra_info(self, name: str) -> object:
        return {"peername": ("127.0.0.1", 40000), "socket": _SILENT}.get(name)

    def is_closing(self) -> bool:
        return False


class Pair:
    """One client connection and one pooled upstream connection, ready for request after request."""

    def __init__(self, gateway: Gateway, service: Service) -> None:
        self.client_side, self.upstream_side = RecordingTransport(), RecordingTransport()
        state = SimpleNamespace(connections=set(), tasks=set())
        self.client = ClientConnection(gateway.front, None, state, {})
        self.client.connection_made(cast(Any, self.client_side))
        (pool,) = gateway.upstreams.pool(service).pools
        self.upstream = UpstreamConnection(pool)
        self.upstream.connection_made(cast(Any, self.upstream_side))
        pool.open += 1
        pool.release(self.upstream, pool.now(), 3600.0)


class ManualLoop:
    """Of an event loop only `call_soon`, and its turns by hand."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        self._callbacks.append(partial(callback, *arguments))

    def take(self, receivers: Sequence[Callable[[bytes], None]], data: bytes) -> None:
        """One turn: each transport has received data, then what was called for."""
        _set_running_loop(cast(asyncio.AbstractEventLoop, self))
        try:
            for receive in receivers:
                receive(data)
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()
        finally:
            _set_running_loop(None)


class Passage:
    """Exchanges callback to callback, those of all connections in the same two turns."""

    def __init__(self, gateway: Gateway, service: Service, response: bytes, connections: int = 1) -> None:
        self._turns = ManualLoop()
        self._pairs = [Pair(gateway, service) for _ in range(connections)]
        self._clients = [pair.client.data_received for pair in self._pairs]
        self._upstreams = [pair.upstream.data_received for pair in self._pairs]
        self._response = response

    def exchange(self, request: bytes, response: bytes | None = None) -> tuple[bytes, bytes]:
        """One request of each connection; what went to an upstream, and what came to a client."""
        self._turns.take(self._clients, request)
        self._turns.take(self._upstreams, response or self._response)
        return self._pairs[0].upstream_side.written, self._pairs[0].client_side.written

    def cost_us(self, request: bytes) -> float:
        """Of one request."""
        return cost_us(lambda: self.exchange(request), 200, 25) / len(self._pairs)

    def varied_cost_us(self, requests: Sequence[bytes], responses: Sequence[bytes]) -> float:
        """Of one request, where no connection sees the same request, or the same response, twice in a row."""
        pairs = cycle([*zip(requests, responses, strict=True)])
        return cost_us(lambda: self.exchange(*next(pairs)), 200, 25) / len(self._pairs)


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
