"""The two metrics that the monolith itself adds to `/metrics`."""

MEDIA_TYPE = "text/plain; charset=utf-8; version=0.0.4"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
MAX_SERIES = 1000
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Histogram:
    """Durations of one set of labels: the number up to each bound, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        self.sum_s += duration_s
        for index, bound in enumerate((*BUCKETS_S, float("inf"))):
            self.counts[index] += duration_s <= bound


class Metrics:
    """Counts by method, status and path as sent; drops new label sets beyond MAX_SERIES."""

    def __init__(self) -> None:
        self._exceptions: dict[str, int] = {}
        self._requests: dict[str, Histogram] = {}

    def count(self, method: str, path: str, status: int, duration_s: float) -> None:
        series = _labels(method, f"{status // 100}XX", path)
        if series in self._requests or len(self._requests) < MAX_SERIES:
            self._requests.setdefault(series, Histogram()).observe(duration_s)
        failed = _labels(method, str(status), path)
        if status >= 400 and (failed in self._exceptions or len(self._exceptions) < MAX_SERIES):
            self._exceptions[failed] = self._exceptions.get(failed, 0) + 1

    def text(self) -> str:
        """Prometheus' text format 0.0.4."""
        exceptions = [f"http_exceptions{{{labels}}} {count}" for labels, count in self._exceptions.items()]
        requests = [line for labels, histogram in self._requests.items() for line in _lines(labels, histogram)]
        return "\n".join(
            [
                "# HELP http_exceptions HTTP errors by status and path",
                "# TYPE http_exceptions counter",
                *exceptions,
                "",
                "# HELP http_requests Duration of HTTP requests in seconds",
                "# TYPE http_requests histogram",
                *requests,
                "",
            ]
        )


def _labels(method: str, status: str, path: str) -> str:
    return f'method="{method}",status="{status}",path="{path.translate(_ESCAPES)}"'


def _lines(labels: str, histogram: Histogram) -> list[str]:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    buckets = [
        f'http_requests_bucket{{le="{bound}",{labels}}} {count}'
        for bound, count in zip(bounds, histogram.counts, strict=True)
    ]
    return [
        *buckets,
        f"http_requests_sum{{{labels}}} {histogram.sum_s}",
        f"http_requests_count{{{labels}}} {histogram.counts[-1]}",
    ]
