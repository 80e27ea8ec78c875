"""What the gateway knows of a service's breaker, places, queue and retries: values that add up over processes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from chassis.service.metrics import Metric

BreakerWord = Literal["off", "closed", "half-open", "open"]
_WORST: Sequence[BreakerWord] = ("off", "closed", "half-open", "open")


@dataclass(frozen=True, slots=True)
class BulkheadStatus:
    """Counters since the service is known; `calls`, `failed` and `slow`: of the breaker's window."""

    service: str
    breaker: BreakerWord = "off"
    seen: str = ""
    """Of the breaker's last change: what was seen, and what happens next."""
    opened: int = 0
    calls: int = 0
    failed: int = 0
    slow: int = 0
    under_way: int = 0
    places: int = 0
    waiting: int = 0
    may_wait: int = 0
    oldest_s: float = 0.0
    """How long the oldest has waited."""
    refused_full: int = 0
    refused_late: int = 0
    refused_open: int = 0
    retries: int = 0
    """In the last seconds, as the budget counts."""
    may_retry: int = 0

    def view(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "breaker": {
                "state": self.breaker,
                "seen": self.seen or None,
                "opened": self.opened,
                "calls": self.calls,
                "failed": self.failed,
                "slow": self.slow,
            },
            "requests": {"under_way": self.under_way, "places": self.places},
            "queue": {"waiting": self.waiting, "max": self.may_wait, "oldest_s": round(self.oldest_s, 3)},
            "refused": {"full": self.refused_full, "late": self.refused_late, "breaker": self.refused_open},
            "retries": {"spent": self.retries, "budget": self.may_retry},
        }


def all_bulkheads(parts: Iterable[BulkheadStatus]) -> list[BulkheadStatus]:
    """Of several processes: numbers add up; the breaker is as bad as the worst."""
    found: dict[str, BulkheadStatus] = {}
    for part in parts:
        known = found.get(part.service)
        found[part.service] = part if known is None else _added(known, part)
    return [*found.values()]


def _added(one: BulkheadStatus, other: BulkheadStatus) -> BulkheadStatus:
    worse = max(one, other, key=lambda each: _WORST.index(each.breaker))
    numbers = [field.name for field in fields(one) if field.type in (int, "int")]
    sums = {name: getattr(one, name) + getattr(other, name) for name in numbers}
    return replace(worse, **sums, oldest_s=max(one.oldest_s, other.oldest_s))


def tell_bulkheads(statuses: Iterable[BulkheadStatus]) -> list[Mapping[str, Any]]:
    """For another process, which reads them with `hear_bulkheads`."""
    return [asdict(status) for status in statuses]


def hear_bulkheads(said: Iterable[Mapping[str, Any]]) -> list[BulkheadStatus]:
    """What another process has told. Raises TypeError."""
    return [BulkheadStatus(**one) for one in said]


_NUMBERS: Sequence[tuple[str, str, Literal["counter", "gauge"], str]] = (
    ("breaker_opened_total", "opened", "counter", "How often the breaker of a service has opened."),
    ("under_way", "under_way", "gauge", "Requests under way at a service."),
    ("places", "places", "gauge", "Requests that may be under way at a service."),
    ("waiting", "waiting", "gauge", "Requests that wait for a place at a service."),
    ("waiting_seconds", "oldest_s", "gauge", "How long the oldest of them has waited."),
    ("retries", "retries", "gauge", "Requests sent a second time in the last ten seconds."),
    ("retry_budget", "may_retry", "gauge", "Requests that may be sent a second time in ten seconds."),
)


def bulkhead_metrics(statuses: Sequence[BulkheadStatus]) -> Iterator[Metric]:
    """By service."""
    opened = [({"service": one.service}, int(one.breaker in ("open", "half-open"))) for one in statuses]
    yield Metric("strangler_upstream_breaker_open", "gauge", "1: the breaker lets no call go, or only probes.", opened)
    refused = [
        ({"service": one.service, "reason": reason}, number)
        for one in statuses
        for reason, number in one.view()["refused"].items()
    ]
    text = "Requests that were not sent to a service: too many waited, too late, or its breaker was open."
    yield Metric("strangler_upstream_refused_total", "counter", text, refused)
    for name, field, kind, about in _NUMBERS:
        samples = [({"service": one.service}, getattr(one, field)) for one in statuses]
        yield Metric(f"strangler_upstream_{name}", kind, about, samples)
