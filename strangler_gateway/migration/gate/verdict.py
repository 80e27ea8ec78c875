"""PASS, WORSE or WAIT, for canary and for shadow (docs/decisions/gates.md). Pure: counts in, verdict out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from strangler_gateway.evidence.bounds import Proportion, Z, newcombe, wilson
from strangler_gateway.migration.gate.pool import Counts, pooled, total
from strangler_gateway.table.routes import GateRules

Z_PARITY = 1.645
"""One-sided 95 %."""
MOST_MOVED = 0.2
_TENTH = 1_000
"""Basis points: up to this share the smaller sample and the wider margin count."""
_DELTA, _DELTA_ABOVE_10, _PARITY = 0.01, 0.005, 0.995


class Verdict(StrEnum):
    """What the evidence says about a step forward."""

    PASS = "pass"  # noqa: S105  # a verdict, no password
    WORSE = "worse"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """`lower`, `upper`: limits of how much more often the new side fails, as they are now (0.01 = one per cent)."""

    verdict: Verdict
    lower: float
    upper: float
    delta: float
    """`upper` must be below this at a look."""
    counts: Counts
    """Requests of all routes since the step began."""
    users: Counts
    looked_at: int
    """Requests to the new side at the last look; 0: there was none."""
    next_look: int
    upper_at_look: float | None = None
    shown: bool = False
    """The last look was good enough."""
    users_lower: float = 0.0
    """How many more users, as a part, meet a failure on the new side, at least."""

    @property
    def veto(self) -> bool:
        """More users meet a failure on the new side than on legacy."""
        return self.users_lower > 0


@dataclass(frozen=True, slots=True)
class ParityVerdict:
    """`lower`, `upper`: limits of the part of equal answers, as they are now."""

    verdict: Verdict
    lower: float
    upper: float
    required: float
    """`lower` must reach this at a look."""
    equal: int
    different: int
    moved: int
    looked_at: int
    next_look: int
    shown: bool = False
    """The last look was good enough."""
    unsettled: bool = False
    """Too many answers were left out because the data had moved."""


def judge_canary(
    rules: GateRules, share: int, routes: Sequence[Counts], users: Counts, looked: Sequence[Counts] = ()
) -> CanaryVerdict:
    """`share` in basis points; `looked`: the counts at the last look.

    PASS is decided by the last look alone. WORSE is decided by the counts as they are now: it only ever stops a move.
    """
    lower, upper = newcombe(*pooled(routes))
    least, looked_at = canary_min(rules, share), total(looked).new
    new, legacy = pooled(looked)
    at_look = newcombe(new, legacy)[1] if looked_at else None
    delta = margin(rules, share, looked_at, new.of)
    passed = at_look is not None and looked_at >= least and _shows(at_look, looked_at, delta, rules, share)
    more = newcombe(_proportion(users.failed_new, users.new), _proportion(users.failed_legacy, users.legacy))[0]
    return CanaryVerdict(
        verdict=_canary(worse=lower > 0, passed=passed and more <= 0),
        lower=lower,
        upper=upper,
        delta=delta,
        counts=total(routes),
        users=users,
        looked_at=looked_at,
        next_look=next_look(least, looked_at),
        upper_at_look=at_look,
        shown=passed,
        users_lower=more,
    )


def judge_parity(
    rules: GateRules, equal: int, different: int, moved: int, looked: tuple[int, int] = (0, 0)
) -> ParityVerdict:
    """`looked`: equal and different answers at the last look. `moved` ones prove nothing, but many of them are odd."""
    lower, upper = parity_limits(equal, different)
    looked_at = sum(looked)
    required = parity_required(rules, looked_at)
    unsettled = moved > MOST_MOVED * (equal + different + moved)
    shown = looked_at >= rules.min_shadow and parity_limits(*looked)[0] >= required
    verdict = Verdict.PASS if shown and not unsettled else Verdict.WAIT
    if upper < required:
        verdict = Verdict.WORSE
    return ParityVerdict(
        verdict,
        lower,
        upper,
        required,
        equal,
        different,
        moved,
        looked_at,
        next_look(rules.min_shadow, looked_at),
        shown,
        unsettled,
    )


def next_look(least: int, looked_at: int) -> int:
    """The first of least·2^k beyond the last look: with more looks chance alone would pass sooner or later."""
    if looked_at < least:
        return least
    return least << (looked_at // least).bit_length()


def canary_min(rules: GateRules, share: int) -> int:
    """Requests to the new side at the first look."""
    return rules.min if share <= _TENTH else rules.min_above_10


def margin(rules: GateRules, share: int, requests: int, effective: float) -> float:
    """How much more often the new side may fail.

    A margin of one's own holds as it is. The default is wider while a small `min` makes a look at fewer requests than
    it needs: as wide as those requests can show without one failure. That depends on their `effective` number, which is
    smaller than `requests` as soon as the sides were not asked for each route in exactly the same proportion.
    """
    own = rules.delta if share <= _TENTH else rules.delta_above_10
    if own is not None:
        return own
    default = _DELTA if share <= _TENTH else _DELTA_ABOVE_10
    if not requests or _faultless(requests, Z) < default:
        return default
    return math.nextafter(_faultless(effective, Z) + 1e-9, 1)


def parity_required(rules: GateRules, comparisons: int) -> float:
    """Which part must be equal; the default is lower while a small `min_shadow` looks at fewer than 539."""
    if rules.parity is not None:
        return rules.parity
    return min(_PARITY, 1 - _faultless(comparisons, Z_PARITY) - 1e-9) if comparisons else _PARITY


def _canary(*, worse: bool, passed: bool) -> Verdict:
    if worse:
        return Verdict.WORSE
    return Verdict.PASS if passed else Verdict.WAIT


def _shows(upper: float, requests: int, delta: float, rules: GateRules, share: int) -> bool:
    """Also without a failure a margin needs z²/margin requests."""
    own = rules.delta if share <= _TENTH else rules.delta_above_10
    return upper < delta and (own is None or requests >= Z * Z / delta)


def _faultless(number: float, z: float) -> float:
    """Wilson's upper limit where nothing has failed."""
    return z * z / (number + z * z)


def parity_limits(equal: int, different: int) -> tuple[float, float]:
    """Of the part of equal answers."""
    return wilson(_proportion(equal, equal + different), Z_PARITY)


def _proportion(part: int, of: int) -> Proportion:
    return Proportion(part / of if of else 0.0, of)
