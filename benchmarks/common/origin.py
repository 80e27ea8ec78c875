"""A minimal upstream in Python: it answers, streams, reads uploads, and shows the request that it got from a proxy.

`python -m benchmarks.common.origin PORT`. GET /bytes/N: N bytes · GET /seen: the request's head · anything else: 1 KiB.
To a target with a query, each answer's head is another one.
A request with a body is answered, after the whole body was read, with its number of bytes.
"""

import asyncio
import secrets
import sys
from typing import cast

import httptools

SMALL = b"x" * 1024
_BLOCK = bytes(256 * 1024)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
_VARIED = b"HTTP/1.1 200 OK\r\nX-Request-Nonce: %b\r\nContent-Length: %d\r\n\r\n"


class OriginProtocol(asyncio.Protocol):
    """One connection; requests one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._parser = httptools.HttpRequestParser(self)
        self._left_to_send = 0
        self._writable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._target, self._head, self._received = b"", bytearray(), 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._target == b"/seen":
            self._head += name + b": " + value + b"\r\n"

    def on_body(self, body: bytes) -> None:
        self._received += len(body)

    def on_message_complete(self) -> None:
        if self._target.startswith(b"/bytes/"):
            self._left_to_send = int(self._target[7:])
            self._transport.write(_HEAD % self._left_to_send)
            self._send_more()
        else:
            self._answer()

    def _answer(self) -> None:
        body = SMALL
        if self._target == b"/seen":
            body = bytes(self._head)
        elif self._received:
            body = b"%d" % self._received
        if b"?" in self._target:
            self._transport.write(_VARIED % (secrets.token_hex(16).encode(), len(body)) + body)
        else:
            self._transport.write(_HEAD % len(body) + body)

    def _send_more(self) -> None:
        while self._left_to_send and self._writable:
            block = _BLOCK[: self._left_to_send]
            self._left_to_send -= len(block)
            self._transport.write(block)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._send_more()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(OriginProtocol, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
