"""A load generator for machines without wrk: `python -m benchmarks.generator URL CONNECTIONS SECONDS [FIELD...]`.

Prints one JSON object with the fields of `load.Load`. Content-Length decides when an answer is complete.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class LoadConnection(asyncio.Protocol):
    """One connection that repeats the request until it is told to stop."""

    def __init__(self, request: bytes, latencies: list[float], failures: list[str]) -> None:
        self._request, self._latencies, self._failures = request, latencies, failures
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
        self._transport.write(self._request)

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


async def run(url: str, connections: int, seconds: float, fields: list[str]) -> dict[str, float]:
    parts = urlsplit(url)
    request = "\r\n".join([f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *fields, "", ""]).encode()
    latencies: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(connections):
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        _, caller = await loop.create_connection(lambda: LoadConnection(request, latencies, failures), *address)
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

    print(json.dumps(uvloop.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))))
