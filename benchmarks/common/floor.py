"""The cost of a proxy that does nothing: `python -m benchmarks.common.floor PORT UPSTREAM_PORT`.

It copies bytes between two sockets on uvloop, with one upstream connection per client, and parses nothing. No proxy on
this event loop can be cheaper.
"""

import asyncio
import sys
from typing import cast

import uvloop

from strangler_gateway.http.write_batch import Output, WriteBatch


class End(asyncio.Protocol):
    """One of two joined sockets; what it receives is sent on the other."""

    def __init__(self, batch: WriteBatch) -> None:
        self._batch = batch
        self.other: End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.out = Output(self._batch, self.transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.out.put(data)
            self.other.out.soon()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.out.now()
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()


class ClientEnd(End):
    """The client's socket. It connects to the upstream, and keeps what the client sends before that."""

    def __init__(self, batch: WriteBatch, upstream_port: int) -> None:
        super().__init__(batch)
        self._upstream_port = upstream_port
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early += data
        super().data_received(data)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, upstream = await loop.create_connection(lambda: End(self._batch), "127.0.0.1", self._upstream_port)
        except OSError:
            self.transport.abort()
            return
        self.other, upstream.other = upstream, self
        upstream.transport.write(self._early)


async def main(port: int, upstream_port: int) -> None:
    batch = WriteBatch()
    server = await asyncio.get_running_loop().create_server(
        lambda: ClientEnd(batch, upstream_port), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
