"""What became of published messages: counters of a route."""

from bisect import bisect_left
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
