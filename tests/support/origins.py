"""A real HTTP server on loopback, whose answers a test's function gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Request:
    """What has arrived; names in lower case, the last of equal ones wins."""

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    body: bytes = b""


@dataclass
class Answer:
    """What goes back; Content-Length is added, except where `head_only` leaves the caller waiting."""

    status: int = 200
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ((b"Content-Type", b"application/json"),)
    missing: int = 0
    """So many bytes of the body never come: the server hangs up."""


Handler = Callable[[Request], Answer | Awaitable[Answer]]


@dataclass
class Origin:
    """A running server: where it is, and what it was asked."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def origin(handler: Handler, port: int = 0) -> AsyncIterator[Origin]:
    """Serves until the block ends; the handler may wait, and may raise ConnectionError to hang up."""
    served = Origin()
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            while await _exchange(served, handler, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _exchange(
    served: Origin, handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")[:-2]
    method, target, _ = first.split(b" ")
    pairs = (line.partition(b":") for line in lines)
    request = Request(method, target, {name.lower(): value.strip() for name, _, value in pairs})
    request.body = await reader.readexactly(int(request.fields.get(b"content-length", b"0")))
    served.requests.append(request)
    answer = handler(request)
    if not isinstance(answer, Answer):
        answer = await answer
    fields = (*answer.fields, (b"Content-Length", b"%d" % (len(answer.body) + answer.missing)))
    body = b"" if method == b"HEAD" else answer.body
    writer.write(
        b"HTTP/1.1 %d X\r\n" % answer.status + b"".join(b"%b: %b\r\n" % pair for pair in fields) + b"\r\n" + body
    )
    await writer.drain()
    return not answer.missing


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Waits until the condition holds; fails when it does not in time."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
