"""When a guard goes back by itself: the gate says WORSE, or the new side is broken (docs/decisions/gates.md). Pure.

The gate may look at any moment here: going back wrongly costs an operator a release, not a user an error.
"""

from strangler_gateway.evidence.bounds import Proportion, newcombe
from strangler_gateway.evidence.cards import RULES, Card, hard
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.gate.verdict import Verdict

LEAST_FAILED = 4
"""Fewer failures are chance: one of the first ten requests is WORSE already."""


class BreakCard:
    """The hard card of rule 2 over requests, not users: in a minute few users come, and 8 failures of 8 must be enough.

    What is usual comes from before the move, since the guard has no ten minutes of legacy. Where legacy has no
    requests, a full card is an alarm: there is no probe, and going back wrongly costs a release.
    """

    __slots__ = ("card",)

    def __init__(self) -> None:
        self.card = Card()

    def add(self, tick: Counts, expected: float, seconds: float) -> bool:
        """Adds what ended within these seconds. Whether the new side is broken and legacy is not as much."""
        self.card.add(tick, expected, hard(RULES, expected), seconds)
        return self.card.score >= RULES.points and not _shared(Counts(*self.card.seen))


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
