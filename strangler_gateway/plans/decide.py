"""What a plan does next: a step, nothing for these reasons, or back. Pure, no clock.

A step needs a PASS, the time that the step before asks for, an open window and the approvals; nothing else makes one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from strangler_gateway.cluster.record import Hold
from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.migration.gate.sentences import span
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.table.rules.plan import PlanRules, PlanStep

DAY_S = 86_400.0

EvidenceVerdict = Literal["PASS", "WAIT", "WORSE", "SLOW", "DIFFERENT", "OFF"]
"""OFF: nothing is measured on the way out of this state (legacy, or a shadow with nothing to compare)."""

ReasonCode = Literal[
    "approval",
    "asked",
    "clock",
    "cooling",
    "evidence",
    "held",
    "limit",
    "paused",
    "probe",
    "refused",
    "time",
    "unknown",
    "window",
]
_GOOD = ("PASS", "OFF")


@dataclass(frozen=True, slots=True)
class PlanEvidence:
    """What the counters say about a step forward. `wait_s`: how long WAIT takes at today's traffic; None: unknown."""

    verdict: EvidenceVerdict
    says: str = ""
    wait_s: float | None = None
    breach: str = ""
    """The new side is slow or answers differently: what was seen."""


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """Where the plan of one movable stands.

    `spent_s`: monotone seconds at this position. `rollback_ages`: seconds since each automatic rollback of a day.
    """

    position: Position
    spent_s: float = 0.0
    hold: Hold | None = None
    paused: str | None = None
    """Who has paused it, and why."""
    asked: str = ""
    """Who has asked for the next step with `advance`."""
    approved: str = ""
    """Who has approved the next step."""
    rollback_ages: tuple[float, ...] = ()
    probe: bool = False
    """At most half of the users get the new side for a moment."""
    known: tuple[tuple[KnownFailures, float], ...] = ()
    """What legacy was seen to fail as well, and until when that counts (Unix seconds)."""
    late: bool = False
    """Nobody here has counted its time from the beginning."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`now`: Unix seconds. `steady`: the wall clock has not jumped lately."""

    now: float
    steady: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the plan does not go on. `wait_s`: for how long at least; None: nobody knows. `person`: one has to act."""

    code: ReasonCode
    says: str
    wait_s: float | None = None
    person: bool = False


@dataclass(frozen=True, slots=True)
class PlanDecision:
    """`step` None: the plan is done. It is made now if there are no reasons against it."""

    step: PlanStep | None
    reasons: tuple[Reason, ...] = ()
    breach: str | None = None
    """The new side is slow or answers differently, while users get its answers: what was seen."""

    @property
    def advances(self) -> PlanStep | None:
        """The step to make now."""
        return None if self.reasons or self.breach else self.step

    @property
    def wait_s(self) -> float | None:
        """When it goes on at the earliest; None: nobody knows."""
        waits = [one.wait_s for one in self.reasons]
        return None if not waits or None in waits else max(wait for wait in waits if wait is not None)


def next_step(rules: PlanRules, position: Position) -> PlanStep | None:
    """The first that leads further than the position, wherever a person may have put it; None: the plan is done."""
    return next((step for step in rules.steps if position_of(step).rank > position.rank), None)


def position_of(step: PlanStep) -> Position:
    """Where a step leads."""
    return Position(MigrationState(step.state), step.share)


def decide(rules: PlanRules, here: PlanStanding, moment: Moment, evidence: PlanEvidence | None) -> PlanDecision:
    """`evidence` None: it is not known now, so nothing goes forward."""
    step = next_step(rules, here.position)
    breach = evidence.breach or None if evidence is not None and here.position.state in _SERVING else None
    if step is None:
        return PlanDecision(None, breach=breach)
    reasons = (*waits(rules, here, moment), *_evidence(here.position, evidence))
    return PlanDecision(step, reasons, breach)


def waits(rules: PlanRules, here: PlanStanding, moment: Moment) -> tuple[Reason, ...]:
    """Every reason that needs no evidence."""
    step = next_step(rules, here.position)
    if step is None:
        return ()
    return tuple(reason for check in _CHECKS for reason in check(rules, here, moment, step))


def back_refused(rules: PlanRules, here: PlanStanding) -> Reason | None:
    """Why no automatic rollback is made now; None: it may be."""
    if (cooling := _cooling(rules, here)) > 0:
        text = f"it was rolled back automatically {span(min(here.rollback_ages))} ago"
        return Reason("cooling", f"{text}: it does nothing by itself for another {span(cooling)}", cooling, person=True)
    return _limit(here, rules.max_rollbacks)


_ANEW = (
    "counted anew: the plan is new, or this gateway had an empty state directory and knows nothing of the time before"
)
_SERVING = (MigrationState.CANARY, MigrationState.EXTRACTED)


def _held(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if here.hold is not None:
        why = f" ({here.hold.why})" if here.hold.why else ""
        yield Reason("held", f"it was rolled back by {here.hold.who}{why} and is on hold until a release", person=True)


def _paused(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if here.paused is not None:
        yield Reason("paused", f"it was paused by {here.paused}", person=True)


def _cooled(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    limit, cooling = _limit(here, max(rules.max_rollbacks, 1)), _cooling(rules, here)
    if limit is not None and not here.asked:
        yield limit
    elif cooling > 0:
        yield Reason("cooling", f"it was rolled back automatically: it waits {span(cooling)} more", cooling)


def _asked(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if not rules.auto and not here.asked:
        yield Reason("asked", f"{step} waits for `strangler advance` (the plan is not `auto: true`)", person=True)


def _time(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    least = _at_least_s(rules, here.position)
    left = least - here.spent_s
    if left > 0:
        anew = f" ({_ANEW})" if here.late else ""
        yield Reason("time", f"{here.position} for {span(here.spent_s)} of {span(least)}{anew}", left)


def _approved(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if here.approved or not any(one.rank == step.rank for one in rules.approve):
        return
    asker = f", another one than {here.asked}" if here.asked else ""
    yield Reason("approval", f"{step} needs the approval of an operator{asker} (`strangler approve`)", person=True)


def _window(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if rules.window is None:
        return
    if not moment.steady:
        yield Reason("clock", "the clock of this gateway has jumped: the window is not known for a while")
    elif not rules.window.is_open(moment.now):
        left = rules.window.opens_at(moment.now) - moment.now
        yield Reason("window", f"the window {rules.window} opens in {span(left)}", left)


def _probing(rules: PlanRules, here: PlanStanding, moment: Moment, step: PlanStep) -> Iterator[Reason]:
    if here.probe:
        yield Reason("probe", "half of the users are on legacy for a moment, because the new side may be broken")


_CHECKS = (_held, _paused, _probing, _cooled, _asked, _time, _approved, _window)


def _evidence(position: Position, evidence: PlanEvidence | None) -> Iterator[Reason]:
    if evidence is None:
        yield Reason("unknown", "the evidence is not known now")
    elif evidence.verdict not in _GOOD or evidence.breach:
        says = evidence.says or evidence.breach or f"the evidence says {evidence.verdict}"
        yield Reason("evidence", says, evidence.wait_s, person=evidence.verdict != "WAIT")


def _at_least_s(rules: PlanRules, position: Position) -> float:
    """Of the step where the movable stands; somewhere else, of the last one before."""
    reached = [step.at_least_s for step in rules.steps if position_of(step).rank <= position.rank]
    return reached[-1] if reached else 0.0


def _cooling(rules: PlanRules, here: PlanStanding) -> float:
    return max(rules.cool_down_s - min(here.rollback_ages, default=DAY_S), 0.0)


def _limit(here: PlanStanding, most: int) -> Reason | None:
    number = len(here.rollback_ages)
    if number < most:
        return None
    text = f"it was rolled back automatically {number} times within a day, and `max_rollbacks` is {most}"
    return Reason("limit", f"{text}: a person has to decide", person=True)
