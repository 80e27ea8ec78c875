"""What Node and Nest add to every answer of the monolith's runner: Keep-Alive, and two metrics (contract §2.1, §9)."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.service.metrics import Histogram, Metric
from extracted.runner.durations import DurationCounts

MEDIA_TYPE: Final = b"text/plain; charset=utf-8; version=0.0.4"
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
MOST_SERIES: Final = 1000
"""Paths are as clients send them: further ones are not counted."""
_KEEP: Final = [(b"connection", b"keep-alive"), (b"keep-alive", b"timeout=5")]
_CLOSE: Final = [(b"connection", b"close")]


class RequestMetrics:
    """`http_requests` and `http_exceptions`, by method, status and path."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, str], DurationCounts] = {}
        self._exceptions: Counter[tuple[str, str, str]] = Counter()

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Counts one answer."""
        series, failed = (method, f"{status // 100}XX", path), (method, str(status), path)
        if series in self._requests or len(self._requests) < MOST_SERIES:
            self._requests.setdefault(series, DurationCounts(SECONDS)).observe(seconds)
        if status >= 400 and (failed in self._exceptions or len(self._exceptions) < MOST_SERIES):
            self._exceptions[failed] += 1

    def blocks(self) -> Iterator[Metric | Histogram]:
        """In the order of the page."""
        exceptions = [(_labels(series), count) for series, count in self._exceptions.items()]
        yield Metric("http_exceptions", "counter", "HTTP errors by method, status and path.", exceptions)
        requests = [(_labels(series), seen.counts, seen.sum_s) for series, seen in self._requests.items()]
        yield Histogram("http_requests", "Duration of HTTP requests in seconds.", SECONDS, requests)


def as_node(app: ASGIApp, metrics: RequestMetrics, clock: Callable[[], float]) -> ASGIApp:
    """Counts the answers of `app`, and tells how long the connection stays open."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        began = clock()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_connection(scope)]
                if scope["method"] != "OPTIONS":
                    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
                    metrics.count(scope["method"], path, message["status"], clock() - began)
            await send(message)

        await app(scope, receive, sent if scope["type"] == "http" else send)

    return answer


def _connection(scope: Scope) -> list[tuple[bytes, bytes]]:
    asked = b",".join(value for name, value in scope["headers"] if name == b"connection").lower()
    return _CLOSE if scope.get("http_version") == "1.0" or b"close" in asked else _KEEP


def _labels(series: tuple[str, str, str]) -> dict[str, str]:
    method, status, path = series
    return {"method": method, "status": status, "path": path}
