"""GET /health, GET /metrics (contract §9) and the 404 of all that is unknown, below /platform.

The gateway puts /platform before the path (`rewrite:` in routes.yaml). So no request of a client, whatever its
spelling, leads to what Account serves for operators and for the gateway.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.service.metrics import Histogram, Metric, rendered
from extracted.wire import application as wire
from extracted.wire import responses
from extracted.wire.application import ApiRequest, ApiRoute
from extracted.wire.responses import ApiResponse

PREFIX: Final = b"/platform"
MEDIA_TYPE: Final = b"text/plain; charset=utf-8; version=0.0.4"
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
KNOWN: Final = ("/health", "/metrics")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class PlatformCounters:
    """The monolith's own two metrics, of what is answered here: their series are few, whatever is asked for."""

    def __init__(self) -> None:
        self._exceptions: dict[tuple[str, str, str], int] = {}
        self._requests: dict[tuple[str, str, str], tuple[list[int], float]] = {}

    def count(self, method: str, path: str, status: int, duration_s: float) -> None:
        """`path`: one of KNOWN, in any spelling; any other counts as `other`."""
        known = path.lower().rstrip("/")
        labels = method if method in METHODS else "other", known if known in KNOWN else "other"
        of = labels[0], f"{status // 100}XX", labels[1]
        counts, total = self._requests.get(of, ([0] * (len(BOUNDS_S) + 1), 0.0))
        counts[sum(duration_s > bound for bound in BOUNDS_S)] += 1
        self._requests[of] = counts, total + duration_s
        if status >= 400:
            failed = labels[0], str(status), labels[1]
            self._exceptions[failed] = self._exceptions.get(failed, 0) + 1

    def text(self) -> str:
        """In Prometheus' format."""
        exceptions = [(_labels(of), float(count)) for of, count in self._exceptions.items()]
        requests = [(_labels(of), counts, total) for of, (counts, total) in self._requests.items()]
        return rendered(
            Metric("http_exceptions", "counter", "HTTP errors by status and path", exceptions),
            Histogram("http_requests", "Duration of HTTP requests in seconds", BOUNDS_S, requests),
        )


def application(public: ASGIApp, *, production: bool, clock: Callable[[], float] = time.perf_counter) -> ASGIApp:
    """`public` answers all paths that are not below /platform."""
    counters = PlatformCounters()
    platform = wire.application(_routes(counters), production=production)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _raw(scope).startswith(PREFIX + b"/"):
            await public(scope, receive, send)
            return
        inner, started, statuses = _without_prefix(scope), clock(), list[int]()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await platform(inner, receive, counted)
        if scope["method"] != "OPTIONS":
            counters.count(scope["method"], inner["path"], statuses[-1], clock() - started)

    return answer


def _routes(counters: PlatformCounters) -> Sequence[ApiRoute]:
    async def health(_call: ApiRequest) -> ApiResponse:
        return responses.one({"status": "ok"})

    async def metrics(_call: ApiRequest) -> ApiResponse:
        return ApiResponse(200, counters.text().encode(), media_type=MEDIA_TYPE)

    return ApiRoute("GET", "/health", health), ApiRoute("GET", "/metrics", metrics)


def _without_prefix(scope: Scope) -> Scope:
    state = dict(scope.get("state", {}))
    if "target" in state:
        state["target"] = state["target"].removeprefix(PREFIX)
    raw = _raw(scope).removeprefix(PREFIX)
    return {**scope, "raw_path": raw, "path": raw.decode("latin-1"), "state": state}


def _raw(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw


def _labels(of: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("method", "status", "path"), of, strict=True))
