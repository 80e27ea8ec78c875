"""The graceful end: signals are counted, requests finish, what is left at the deadline is ended."""

import asyncio
import signal
from collections.abc import Awaitable

from strangler_gateway.server.connection import ClientConnection
from strangler_gateway.server.uvicorn_server import Server

_LOOK_S = 0.05


class StopSignals:
    """SIGTERM and SIGINT, counted: the first ends gracefully, the second at once."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._signal)

    def _signal(self) -> None:
        self._count += 1
        self._changed.set()

    async def wait(self, count: int) -> None:
        """Returns once there were that many signals."""
        while self._count < count:
            self._changed.clear()
            await self._changed.wait()


async def within(waiting: Awaitable[object], seconds: float) -> bool:
    """Waits at most so long; true if it came about."""
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return False
    return True


async def leave(public: Server, at_once: Awaitable[object], seconds: float) -> None:
    """For so long, clients are still served, and each is told with its next answer that the connection ends.

    A connection that is closed while its client begins a request would lose it; who was told opens another one.
    """
    end = asyncio.get_running_loop().time() + seconds
    over = asyncio.ensure_future(at_once)
    while not over.done() and (left := end - asyncio.get_running_loop().time()) > 0:
        for connection in list(public.clients):
            connection.leave()
        await asyncio.wait((over,), timeout=min(left, _LOOK_S))
    over.cancel()


async def drain(public: Server, at_once: Awaitable[object], drain_s: float) -> None:
    """Finishes requests; at the deadline, or once `at_once` is over, what is left is ended: WebSockets with 1001."""
    public.should_exit = True
    ended = asyncio.create_task(_until_empty(public.clients))
    second = asyncio.ensure_future(at_once)
    await asyncio.wait((ended, second), timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    for connection in list(public.clients):
        connection.close_tunnel(1001)
    await within(ended, 1.0 if not second.done() else 0.1)
    for connection in list(public.clients):
        connection.transport.abort()
    public.force_exit = True
    second.cancel()


async def _until_empty(connections: set[ClientConnection]) -> None:
    while connections:  # noqa: ASYNC110  # uvicorn's own plain set: nothing tells of its changes
        await asyncio.sleep(0.02)
