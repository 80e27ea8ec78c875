"""Accepts connections faster than the server does, while turns of the event loop are long.

libuv accepts one connection of a socket in each turn. When turns are long, new clients would wait behind those whose
clients have given up already, and nobody would be served.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

log = logging.getLogger(__name__)
_A_TURN: Final = 256


class FastAccepting:
    """`made` makes the protocol of a connection; `context`: of TLS."""

    def __init__(
        self, listeners: Sequence[socket.socket], made: Callable[[], Any], context: ssl.SSLContext | None
    ) -> None:
        self._listeners, self._made, self._context = listeners, made, context
        self._open: list[socket.socket] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_over = False

    def switch(self, on: bool) -> None:
        """Begins, or ends."""
        if on and not self._open and not self._is_over:
            self._open = [one.dup() for one in self._listeners]
            for one in self._open:
                one.setblocking(False)
                asyncio.get_running_loop().add_reader(one, self._accept, one)
        elif not on and self._open:
            for one in self._open:
                asyncio.get_running_loop().remove_reader(one)
                one.close()
            self._open = []

    def close(self) -> None:
        """For good."""
        self._is_over = True
        self.switch(False)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_A_TURN):
            try:
                accepted, _address = listener.accept()
            except OSError:  # none waits, or there are too many open files: the server's own accepting reports that
                return
            accepted.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._connect(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._made, accepted, ssl=self._context)
        except OSError as exc:  # it has left, or its handshake failed
            log.debug("a connection has not come about: %s", exc)
            accepted.close()
