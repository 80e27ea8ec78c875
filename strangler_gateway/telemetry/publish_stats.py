"""What became of published messages: counters of a route, and their form for Prometheus."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SILENT, UNKNOWN = "(none)", "(unknown)"
"""Outcomes that no consumer gave: no word in time, a word that routes.yaml does not know."""
FAILURES = ("invalid", "unsent", "refused", "unconfirmed", "busy")


class Durations:
    """Counts per bucket of BUCKETS_S, then the rest."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class Published:
    """Of one route. `failures` by reason; `outcomes` by the words of routes.yaml."""

    confirmed: int = 0
    failures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES, 0))
    outcomes: dict[str, int] = field(default_factory=lambda: {SILENT: 0, UNKNOWN: 0})
    confirm: Durations = field(default_factory=Durations)
    """From the last byte of the request to the broker's confirm."""
    reply: Durations = field(default_factory=Durations)
    """And to the consumer's word."""

    def failed(self, reason: str) -> None:
        """Nothing was published, or nobody knows."""
        self.failures[reason] += 1

    def ended(self, outcome: str) -> None:
        """A message that was published has this outcome."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def rendered(routes: Iterable[tuple[str, Published]]) -> Iterator[str]:
    """Lines in Prometheus' text format; nothing where no route publishes."""
    known = list(routes)
    if not known:
        return
    yield "# TYPE strangler_published_total counter\n"
    yield from (f'strangler_published_total{{route="{name}"}} {one.confirmed}\n' for name, one in known)
    for what, label, counts in (
        ("failures", "reason", [(name, one.failures) for name, one in known]),
        ("outcomes", "outcome", [(name, one.outcomes) for name, one in known]),
    ):
        yield f"# TYPE strangler_publish_{what}_total counter\n"
        for name, seen in counts:
            for word, n in sorted(seen.items()):
                yield f'strangler_publish_{what}_total{{route="{name}",{label}="{word}"}} {n}\n'
    for what in ("confirm", "reply"):
        yield f"# TYPE strangler_publish_{what}_seconds histogram\n"
        for name, one in known:
            yield from _histogram(f"strangler_publish_{what}_seconds", name, getattr(one, what))


def _histogram(meter: str, route: str, durations: Durations) -> Iterator[str]:
    total = 0
    for bound, n in zip((*map(str, BUCKETS_S), "+Inf"), durations.counts, strict=True):
        total += n
        yield f'{meter}_bucket{{route="{route}",le="{bound}"}} {total}\n'
    yield f'{meter}_sum{{route="{route}"}} {durations.seconds:.6f}\n'
    yield f'{meter}_count{{route="{route}"}} {total}\n'
