"""A load generator for machines without wrk.

`python -m benchmarks.common.generator URL CONNECTIONS SECONDS [--varied] [FIELD...]`. With --varied
each request has another query, User-Agent and Referer, as with `varied.lua` for wrk.
Prints one JSON object with the fields of `load.Load`. Content-Length decides when an answer is complete.
"""

import asyncio
import itertools
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class LoadConnection(asyncio.Protocol):
    """One connection that sends the next request until it is told to stop."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], failures: list[str]) -> None:
        self._requests, self._latencies, self._failures = requests, latencies, failures
        self._received = bytearray()
        self._stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._ask()

    def stop(self) -> None:
        self._stopped = True
        self._transport.abort()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        end_of_head = self._received.find(b"\r\n\r\n")
        if end_of_head < 0:
            return
        length = _LENGTH.search(self._received, 0, end_of_head)
        if length is None:
            self._fail("an answer without Content-Length")
        elif len(self._received) >= end_of_head + 4 + int(length[1]):
            self._complete()

    def _complete(self) -> None:
        if self._received[9:10] not in b"23":
            self._failures.append(bytes(self._received[:12]).decode(errors="replace"))
        self._latencies.append(time.perf_counter() - self._asked)
        self._received.clear()
        self._ask()

    def _fail(self, why: str) -> None:
        self._failures.append(why)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._stopped:
            self._failures.append(f"connection lost: {exc}")


def repeated(url: str, fields: list[str]) -> Iterator[bytes]:
    """The same request for ever."""
    parts = urlsplit(url)
    return itertools.repeat(
        "\r\n".join([f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *fields, "", ""]).encode()
    )


def varied(url: str, fields: list[str]) -> Iterator[bytes]:
    """Requests that nobody sent before."""
    parts = urlsplit(url)
    fixed = "\r\n".join([f"Host: {parts.netloc}", *fields]).encode()
    browser = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.%d Safari/537.36"
    own = b"User-Agent: " + browser + b"\r\nReferer: http://localhost:3000/page/%d\r\n\r\n"
    start = b"GET %b?n=%%d HTTP/1.1\r\n%b\r\n" % (parts.path.encode(), fixed.replace(b"%", b"%%"))
    return ((start + own) % (number, number, number) for number in itertools.count(1))


async def run(url: str, connections: int, seconds: float, fields: list[str], vary: bool = False) -> dict[str, float]:
    parts = urlsplit(url)
    requests = (varied if vary else repeated)(url, fields)
    latencies: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(connections):
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        _, caller = await loop.create_connection(lambda: LoadConnection(requests, latencies, failures), *address)
        callers.append(caller)
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    for caller in callers:
        caller.stop()
    return summary(latencies, time.perf_counter() - began, len(failures))


def summary(latencies: list[float], seconds: float, errors: int) -> dict[str, float]:
    """Converts latencies in seconds to the fields of Load."""
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    return {
        "requests": len(latencies),
        "requests_per_s": len(latencies) / seconds,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "errors": errors,
    }


if __name__ == "__main__":
    import uvloop

    url, connections, seconds, *more = sys.argv[1:]
    vary = more[:1] == ["--varied"]
    print(json.dumps(uvloop.run(run(url, int(connections), float(seconds), more[1:] if vary else more, vary))))
