"""The three pipes of a run: output is read up to a bound, input is written as fast as the program reads."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 1 << 16


class OutputReader:
    """Keeps the first `most` bytes of a pipe, and reports once that there is more."""

    def __init__(self, most: int, exceeded: Callable[[], None]) -> None:
        self.kept = bytearray()
        self.truncated = False
        self._most = most
        self._exceeded = exceeded
        self._descriptor, self.theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.theirs, True)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)
        self.ended = asyncio.Event()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        room = self._most - len(self.kept)
        self.kept += data[:room]
        if len(data) > room and not self.truncated:
            self.truncated = True
            self._exceeded()

    def close(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)


class InputWriter:
    """Writes into a pipe, and closes it behind the last byte unless it is to stay open."""

    def __init__(self) -> None:
        self._left = memoryview(b"")
        self._keep_open = False
        self.theirs, self._descriptor = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.theirs, True)
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._writing = False

    def start(self, data: bytes, *, keep_open: bool) -> None:
        """After the spawner has the other end; before, a write would only fill the pipe."""
        self._left, self._keep_open = memoryview(data), keep_open
        self._writing = True
        self._loop.add_writer(self._descriptor, self._write)

    def _write(self) -> None:
        try:
            written = os.write(self._descriptor, self._left[:_CHUNK]) if self._left else 0
        except BlockingIOError:
            return
        except BrokenPipeError:  # the program ended, or closed its input
            self.close()
            return
        self._left = self._left[written:]
        if not self._left:
            self._done()

    def _done(self) -> None:
        self._stop()
        if not self._keep_open:
            self.close()

    def _stop(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._descriptor)

    def close(self) -> None:
        if self._open:
            self._stop()
            self._open = False
            os.close(self._descriptor)
