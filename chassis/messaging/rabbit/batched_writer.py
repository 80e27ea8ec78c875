"""Sends what is published in one turn of the event loop as one packet, which is cheaper for both sides."""

import asyncio
from typing import Any


class BatchedWriter(asyncio.StreamWriter):
    """Keeps what is written, and passes it on at the end of the turn."""

    def __init__(self, inner: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(inner.transport, inner.transport.get_protocol(), reader, loop)
        self._inner = inner  # closes the transport when it is garbage-collected
        self._call_soon = loop.call_soon
        self._kept: list[bytes] = []

    def write(self, data: Any) -> None:
        if not self._kept:
            self._call_soon(self._pass_on)
        self._kept.append(data)

    def close(self) -> None:
        self._pass_on()
        super().close()

    def _pass_on(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self.is_closing():  # the connection may be lost meanwhile
            super().write(b"".join(kept))
