"""Accepts all connections that wait, where the server accepts one.

libuv accepts one connection of a socket in each turn of the event loop. When more come than there are turns, new
clients would wait behind those whose clients have given up already, and nobody would be served.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

log = logging.getLogger(__name__)
_A_TURN: Final = 64


class FastAccepting:
    """`made` makes the protocol of a connection; `context`: of TLS. The listeners stay the server's."""

    def __init__(
        self, listeners: Sequence[socket.socket], made: Callable[[], Any], context: ssl.SSLContext | None
    ) -> None:
        self._listeners, self._made, self._context = listeners, made, context
        for listener in listeners:
            listener.setblocking(False)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_due = self._is_over = False

    def more(self) -> None:
        """One was accepted: those that wait behind it are accepted in the next turn, `_A_TURN` of a socket at most."""
        if not self._is_due and not self._is_over:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._accept_waiting)

    def close(self) -> None:
        """For good."""
        self._is_over = True

    def _accept_waiting(self) -> None:
        self._is_due = False
        for listener in self._listeners:
            if not self._is_over and self._accept(listener):
                self.more()

    def _accept(self, listener: socket.socket) -> bool:
        """Whether yet more may wait."""
        for _ in range(_A_TURN):
            try:
                accepted, _address = listener.accept()
            except OSError:  # none waits, or there are too many open files: the server's own accepting reports that
                return False
            accepted.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._connect(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._made, accepted, ssl=self._context)
        except OSError as exc:  # it has left, or its handshake failed
            log.debug("a connection has not come about: %s", exc)
            accepted.close()
