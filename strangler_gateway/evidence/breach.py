"""Rule 2 among the other rules of a snapshot. Pure."""

from typing import Final

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.group_cards import GroupJudgement
from strangler_gateway.evidence.snapshot import RuleEvidence, RuleVerdict

_VERDICTS: Final = {
    Advice.OK: RuleVerdict.PASS,
    Advice.PROBE: RuleVerdict.WAIT,
    Advice.ROLLBACK: RuleVerdict.WORSE,
}
_OFF = "failures are watched second by second in canary and extracted, where a group has a plan, by one gateway for all"


def breach(found: GroupJudgement | None) -> RuleEvidence:
    """None: this gateway does not watch it."""
    if found is None:
        return RuleEvidence("breach", RuleVerdict.OFF, _OFF)
    numbers = found.to_json()
    threshold = {"score": numbers.pop("full"), "expected": numbers.pop("expected")}
    return RuleEvidence("breach", _VERDICTS[found.advice], str(numbers.pop("says")), numbers, threshold)
