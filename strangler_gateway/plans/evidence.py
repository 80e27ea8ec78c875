"""The evidence of a movable as a plan needs it: in short for the decision, and whole for the journal."""

from strangler_gateway.evidence.snapshot import RuleEvidence, RuleVerdict, Snapshot
from strangler_gateway.plans.decide import PlanEvidence

_BREACH = (RuleVerdict.SLOW, RuleVerdict.DIFFERENT)


def told(seen: Snapshot) -> PlanEvidence | None:
    """None: a gateway does not answer, so that nobody knows."""
    if seen.problems:
        return None
    against = [one for one in seen.rules if one.is_against]
    shown = against or [one for one in seen.rules if one.verdict is RuleVerdict.PASS]
    return PlanEvidence(
        seen.verdict.value,
        _says(shown[:3]),
        _longest([one for one in against if one.verdict is RuleVerdict.WAIT]),
        _says([one for one in against if one.verdict in _BREACH]),
    )


def _says(rules: list[RuleEvidence]) -> str:
    return "; ".join(dict.fromkeys(one.says for one in rules))


def _longest(waiting: list[RuleEvidence]) -> float | None:
    """None: one of them has no end that is known."""
    waits = [one.wait_s for one in waiting if one.wait_s is not None]
    return max(waits) if waits and len(waits) == len(waiting) else None
