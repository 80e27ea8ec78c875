"""An upstream with a capacity of its own: `python -m benchmarks.common.busy_origin PORT PLACES WORK_MS`.

So many requests are worked on at once, each for so long; further ones wait in order, without a bound, and are worked
on even if nobody waits for them any more: what a plain server does. With 0 places it accepts and never answers.
"""

import asyncio
import sys
from collections import deque
from typing import cast

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Work:
    """What is worked on, and what waits."""

    def __init__(self, places: int, seconds: float) -> None:
        self._free, self._seconds, self._never = places, seconds, places == 0
        self._waiting: deque[asyncio.Transport] = deque()

    def add(self, transport: asyncio.Transport) -> None:
        if self._never:
            return
        if self._free:
            self._free -= 1
            self._begin(transport)
        else:
            self._waiting.append(transport)

    def _begin(self, transport: asyncio.Transport) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._done, transport)

    def _done(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            transport.write(_ANSWER)
        if self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self._free += 1


class Connection(asyncio.Protocol):
    """Requests without a body, one after the other."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            self._head = b""
            self._work.add(self._transport)


async def serve(port: int, places: int, seconds: float) -> None:
    work = Work(places, seconds)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(work), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
