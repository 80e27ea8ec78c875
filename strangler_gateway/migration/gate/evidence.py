"""What the gate knows of a movable since its last move: verdict, counts by route, what was never asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.migration.gate.timing import Timed, timed
from strangler_gateway.migration.gate.verdict import (
    CanaryVerdict,
    ParityVerdict,
    Verdict,
    canary_min,
    judge_canary,
    judge_parity,
    next_look,
    parity_limits,
)
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import GateRules, MigrationState
from strangler_gateway.telemetry.exercised import Exercised
from strangler_gateway.telemetry.migration_steps.counts import StepCounts
from strangler_gateway.telemetry.migration_steps.parity import StepParity

DAY_S = 86_400.0
LEAST_DIFFERENT = 4
"""Fewer different answers of one route and status class are chance."""
_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """What was seen of one route that has a new end."""

    id: str
    total: Counts
    """All requests and failures since the counters began; `before` of the step is subtracted from it."""
    last_legacy_at: float = 0.0
    readable: bool = False
    """Shadow can compare it."""
    compared: int = 0
    different: int = 0
    moved: int = 0
    accept: frozenset[str] = frozenset()
    """Names of differences that do not count now."""
    exercised: tuple[Exercised, Exercised] = field(default_factory=lambda: (Exercised(), Exercised()))
    """Legacy's and the new side's."""


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """Of one movable since its last move. `position` is where it stands; times in Unix seconds."""

    position: Position
    since: float
    now: float
    canary: CanaryVerdict | None
    """Where it stands in canary."""
    parity: ParityVerdict | None
    """Where it stands in shadow and has routes to compare."""
    routes: Mapping[str, Counts]
    """What counts for the verdict in canary."""
    requests: Mapping[str, Counts]
    """All requests of this step, repetitions of a user after a failure included."""
    never_asked: Mapping[str, float]
    """Routes that legacy was asked for within a day and the new side never in this canary; when legacy was, last."""
    compared: Mapping[str, int]
    """Routes with comparisons in shadow, and how many."""
    differing: Mapping[str, int]
    """Routes with differences in shadow that count, and how many."""
    differing_classes: Mapping[str, tuple[int, int]]
    """Routes and status classes that are clearly different by themselves: equal and different answers."""
    seen: StepParity
    exercised: Mapping[str, tuple[Exercised, Exercised]]
    """By route, what legacy and the new side were asked for."""
    accept: Mapping[str, frozenset[str]]
    """By route, names of differences that do not count now."""
    example: Mapping[str, object] | None
    per_second: float
    """Requests to the new side (comparisons in shadow) at the traffic of this step."""
    timed: Callable[[], Timed]
    """Durations and sizes; worked out at the first call, because whoever asks every second needs none."""
    rules: GateRules

    @property
    def verdict(self) -> Verdict | None:
        """None where no gate is asked."""
        judged = self.canary or self.parity
        return judged.verdict if judged is not None else None


def gathered(
    position: Position, step: StepCounts, rules: GateRules, seen: Sequence[RouteSeen], now: float, since_counted: float
) -> GateEvidence:
    """Takes the look that is due, and judges. `since_counted`: when the counters of `seen` began."""
    counted = {one.id: Counts(*step.routes[one.id].row()) for one in seen if one.id in step.routes}
    canary = parity = None
    classes: dict[str, tuple[int, int]] = {}
    if position.state is MigrationState.CANARY:
        canary = _canary(step, rules, position.share, counted)
    elif position.state is MigrationState.SHADOW and any(one.readable for one in seen):
        readable = [one for one in seen if one.readable]
        parity = _parity(step, rules, readable)
        classes = _classes(step, readable, parity.required)
        parity = replace(parity, verdict=Verdict.WORSE) if classes else parity
    requests = {one.id: _since(step, one) for one in seen}
    return GateEvidence(
        position=position,
        since=step.since,
        now=now,
        canary=canary,
        parity=parity,
        routes=counted,
        requests=requests,
        never_asked=_never_asked(step, seen, now) if canary is not None else {},
        compared={one.id: one.compared for one in seen if one.compared} if parity is not None else {},
        differing=_differing(step, seen) if parity is not None else {},
        differing_classes=classes,
        seen=step.parity,
        accept={one.id: one.accept for one in seen},
        exercised={one.id: one.exercised for one in seen},
        example=step.example,
        per_second=_rate(canary, parity, step, seen, now, since_counted),
        timed=cache(partial(timed, position, step.timings, rules)),
        rules=rules,
    )


def _canary(step: StepCounts, rules: GateRules, share: int, counted: Mapping[str, Counts]) -> CanaryVerdict:
    looked_at = sum(row[1] for row in step.look.values())
    if sum(one.new for one in counted.values()) >= next_look(canary_min(rules, share), looked_at):
        step.look = dict(counted)
    looked = [Counts(*row) for row in step.look.values()]
    return judge_canary(rules, share, list(counted.values()), Counts(*step.users()), looked)


def _parity(step: StepCounts, rules: GateRules, seen: Sequence[RouteSeen]) -> ParityVerdict:
    different, moved = sum(_differing(step, seen).values()), sum(one.moved for one in seen)
    equal = max(sum(one.compared for one in seen) - different - moved, 0)
    accepted = "\n".join(sorted(f"{one.id} {name}" for one in seen for name in one.accept))
    if accepted != step.accepted:
        step.accepted = accepted
        step.look.pop("", None)
    looked = step.look.get("", (0, 0))
    if equal + different >= next_look(rules.min_shadow, sum(looked)):
        looked = step.look[""] = equal, different
    return judge_parity(rules, equal, different, moved, (looked[0], looked[1]))


def _differing(step: StepCounts, seen: Sequence[RouteSeen]) -> dict[str, int]:
    """By route, differences that count."""
    found = {}
    for one in seen:
        counts = step.parity.routes.get(one.id)
        accepted = sum(counts.accepted(one.accept).values()) if counts and one.accept else 0
        if one.different > accepted:
            found[one.id] = one.different - accepted
    return found


def _classes(step: StepCounts, seen: Sequence[RouteSeen], required: float) -> dict[str, tuple[int, int]]:
    """What is rare among all answers can be different in every one of its own."""
    return {
        f"{one.id} {name}": (equal, different)
        for one in seen
        if (counts := step.parity.routes.get(one.id))
        for name, (equal, different) in counts.counted(one.accept).items()
        if different >= LEAST_DIFFERENT and parity_limits(equal, different)[1] < required
    }


def _since(step: StepCounts, one: RouteSeen) -> Counts:
    """Counters that are lower than before were lost, and began again."""
    before = step.before.get(one.id, Counts())
    return Counts(*(now - then if now >= then else now for now, then in zip(one.total, before, strict=True)))


def _never_asked(step: StepCounts, seen: Sequence[RouteSeen], now: float) -> dict[str, float]:
    asked = step.asked_so_far()
    return {one.id: one.last_legacy_at for one in seen if one.last_legacy_at > now - DAY_S and one.id not in asked}


def _rate(
    canary: CanaryVerdict | None,
    parity: ParityVerdict | None,
    step: StepCounts,
    seen: Sequence[RouteSeen],
    now: float,
    since_counted: float,
) -> float:
    """Of this step; while it has seen nothing, the share of the movable's requests so far."""
    number = canary.counts.new if canary else parity.equal + parity.different if parity else 0
    if number:
        return number / max(now - step.since, 1.0)
    everything = sum(one.total.new + one.total.legacy for one in seen)
    share = step.share / _WHOLE if canary else 1.0
    return everything * share / max(now - since_counted, 1.0)
