"""Writes collected over one turn of the event loop.

A write(2) wakes whoever waits at the other end, and so another process or core: a third of a proxy's time. Done back
to back at the end of the turn, the writes of many connections wake it once (docs/decisions/speed.md).
"""

import asyncio
from typing import Final

_AT_ONCE: Final = 64 * 1024
"""So much is written at once: back-pressure has to be felt before the next read."""


class WriteBatch:
    """The outputs that have something to be written at the end of this turn of the loop."""

    def __init__(self) -> None:
        self._due: list[Output] = []
        self.turn = 0
        """Counts the turns in which something was written."""

    def add(self, output: "Output") -> None:
        """Called once an output and turn."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._end)
        self._due.append(output)

    def _end(self) -> None:
        due, self._due = self._due, []
        self.turn += 1
        for output in due:
            output.now()


class Output:
    """What goes to one transport, in order."""

    __slots__ = ("_batch", "_due", "_pieces", "_size", "_transport")

    def __init__(self, batch: WriteBatch, transport: asyncio.WriteTransport) -> None:
        self._batch = batch
        self._transport = transport
        self._pieces: list[bytes] = []
        self._size = 0
        self._due = False

    def put(self, data: bytes) -> None:
        """Keeps data until `soon` or `now`."""
        self._pieces.append(data)
        self._size += len(data)

    def send(self, data: bytes) -> None:
        """Data leaves at the end of this turn, behind what was put before."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _AT_ONCE:
            self.now()
        elif not self._due:
            self._due = True
            self._batch.add(self)

    def soon(self) -> None:
        """What was put leaves at the end of this turn."""
        if self._size > _AT_ONCE:
            self.now()
        elif self._pieces and not self._due:
            self._due = True
            self._batch.add(self)

    def now(self) -> None:
        """What was put leaves at once: before a close, or when it is much."""
        self._due = False
        pieces, transport = self._pieces, self._transport
        if pieces:
            self._pieces = []
            self._size = 0
            if not transport.is_closing():
                transport.write(b"".join(pieces))

    def drop(self) -> None:
        """Nobody is there to take it."""
        self._pieces, self._size = [], 0
