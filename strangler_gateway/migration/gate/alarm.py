"""When a guard goes back by itself: the gate says WORSE, or the new side is broken (docs/decisions/gates.md). Pure.

The gate may look at any moment here: going back wrongly costs an operator a release, not a user an error.
"""

import math

from strangler_gateway.migration.gate.bounds import Proportion, newcombe
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.gate.verdict import Verdict

LEAST_FAILED = 4
"""Fewer failures are chance: one of the first ten requests is WORSE already."""
FULL, MOST = 16.0, 40.0
"""Points at which the new side counts as broken, and the most that a card keeps."""
_HARD = 0.7
_PER_SECOND = 25.0
"""So many requests of a second weigh at most."""


class BreakCard:
    """Each failure of the new side adds points, each success takes points away; at 16 it is broken (a CUSUM)."""

    __slots__ = ("score", "seen")

    def __init__(self) -> None:
        self.score = 0.0
        self.seen = Counts()
        """Since the score was last 0."""

    def add(self, tick: Counts, expected: float, seconds: float) -> bool:
        """Adds what ended within these seconds. Whether the new side is broken and legacy is not as much."""
        if tick.new:
            bad = max(_HARD, expected + 0.05)
            worked, weight = tick.new - tick.failed_new, min(1.0, _PER_SECOND * seconds / tick.new)
            change = tick.failed_new * math.log(bad / expected) + worked * math.log((1 - bad) / (1 - expected))
            self.score = min(max(self.score + weight * change, 0.0), MOST)
        self.seen = total([self.seen, tick]) if self.score else Counts()
        return self.score >= FULL and not _shared(self.seen)


def expected_failures(before: Counts, now: Counts) -> float:
    """Which part of the requests would fail anyway: twice what failed on both sides before, or on legacy now."""
    failed, requests = before.failed_new + before.failed_legacy, before.new + before.legacy
    usual = max((failed + 5) / (requests + 500), now.failed_legacy / (now.legacy + 20))
    return min(max(2 * usual, 0.01), 0.6)


def worse(known: GateEvidence, before: Counts) -> bool:
    """Whether the gate says WORSE. Without requests on legacy to compare with, those before the move count instead."""
    if known.parity is not None:
        return known.parity.verdict is Verdict.WORSE and known.parity.different >= LEAST_FAILED
    if known.canary is not None and known.canary.counts.legacy:
        return known.canary.verdict is Verdict.WORSE and known.canary.counts.failed_new >= LEAST_FAILED
    now = total(known.requests.values())
    usual = _part(before.failed_new + before.failed_legacy, before.new + before.legacy)
    return now.failed_new >= LEAST_FAILED and newcombe(_part(now.failed_new, now.new), usual)[0] > 0


def sentence(known: GateEvidence) -> str:
    """What was seen since the move."""
    if known.parity is not None:
        return f"{known.parity.different} of {known.parity.equal + known.parity.different} answers differ in shadow"
    now = total(known.requests.values())
    bad = sorted((one.failed_new, route) for route, one in known.requests.items() if one.failed_new)
    routes = ", ".join(f"{route} {failed}" for failed, route in reversed(bad[-3:]))
    legacy = f", {now.failed_legacy} of {now.legacy} to legacy" if now.legacy else ""
    return f"{now.failed_new} of {now.new} requests to the new side failed ({routes or 'none'}){legacy}"


def _shared(seen: Counts) -> bool:
    """Legacy fails at least half as often: going back would help nobody."""
    return bool(seen.legacy) and 2 * seen.failed_legacy / seen.legacy >= seen.failed_new / seen.new


def _part(failed: int, requests: int) -> Proportion:
    return Proportion(failed / requests if requests else 0.0, requests)
