"""What all gateways know of one group: a value whose copies merge in any order to the same. Pure, no clock.

A hold is a rollback that nobody has released. Each rollback has a name: the *run* of the gateway that made it (random,
new at every start of a process) and a number that stands for all rollbacks of that run up to it. A decision says which
rollbacks it knew of, so that a rollback made anywhere wins over every flip that did not know of it.
The protocol and the counterexample behind each rule: docs/decisions/many-gateways.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import NamedTuple

from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.table.position import LEGACY, Position

MAX_TEXT = 1000
"""Characters of a `who` or a `why`."""

Runs = Mapping[str, int]
"""By run, the number of its latest rollback; at least 1."""


class RollbackName(NamedTuple):
    """Stands for the rollbacks of a run up to a number."""

    run: str
    number: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Set by a rollback: nothing moves the movable forward until it is released."""

    since: float
    who: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class PlanState:
    """How far the plan of the group is. Whatever changes in it is a decision at the same position."""

    step: int = 0
    """How many steps of the plan are behind; for people who read the store."""
    paused: bool = False
    """Nothing goes forward until somebody resumes it; kept by every move."""
    by: str = ""
    """Who has paused it, and why."""
    asked: str = ""
    """Who has asked for the next step; it ends with the next move."""
    approved: str = ""
    """Who has approved the next step; the same."""
    probe: bool = False
    """At most half of the users are served by the new side for a moment, whatever the position says; the same."""
    known: tuple[KnownFailures, ...] = ()
    """What probes have shown to fail on legacy as well; kept by every move and rollback, as it is about legacy."""


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """The latest decision that somebody made. `seq` 0: nobody has decided anything yet."""

    seq: int = 0
    """At least the Unix seconds when it was made, and greater than that of the decision before."""
    position: Position = LEGACY
    knows: Runs = field(default_factory=dict)
    """The rollbacks that it knew of: those of its record."""
    plan: PlanState | None = None
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """The record of one group. Two copies of it merge; nothing is ever taken out of it."""

    rolled_back: Runs = field(default_factory=dict)
    released: Runs = field(default_factory=dict)
    decision: GroupDecision = GroupDecision()
    files: frozenset[str] = frozenset()
    """Digests of the routes files whose wish was decided; they are never considered again."""
    notes: Mapping[str, Hold] = field(default_factory=dict)
    """By run whose latest rollback is not released: who made it, when and why. For people."""


def merge(one: GroupRecord, other: GroupRecord) -> GroupRecord:
    """All that both know: commutative, associative, idempotent."""
    rolled_back, released = _greater(one.rolled_back, other.rolled_back), _greater(one.released, other.released)
    return GroupRecord(
        rolled_back,
        released,
        max(one.decision, other.decision, key=_weight),
        one.files | other.files,
        _noted(one, other, rolled_back, released),
    )


def holds(record: GroupRecord) -> tuple[RollbackName, ...]:
    """The names that nobody has released, in a fixed order."""
    numbers = sorted(record.rolled_back.items())
    return tuple(RollbackName(run, number) for run, number in numbers if number > record.released.get(run, 0))


def held(record: GroupRecord) -> bool:
    """Whether a rollback keeps the group from moving forward."""
    return bool(holds(record))


def hold(record: GroupRecord) -> Hold | None:
    """The latest rollback that nobody has released, for people; None: not on hold."""
    notes = [record.notes.get(name.run, Hold(0.0, "another gateway")) for name in holds(record)]
    return max(notes, key=_age, default=None)


def position(record: GroupRecord) -> Position:
    """Where the group stands: legacy while it is held, and until a decision that knows of every rollback."""
    knows = record.decision.knows
    unknown = any(number > knows.get(run, 0) for run, number in record.rolled_back.items())
    return LEGACY if unknown or held(record) else record.decision.position


def plan_state(record: GroupRecord) -> PlanState:
    """The plan as it counts: what was asked or approved counts only where it was decided."""
    decision = record.decision
    said = decision.plan or PlanState()
    overruled = held(record) or decision.knows != record.rolled_back
    return _kept(said) if overruled else said


def _kept(plan: PlanState) -> PlanState:
    return PlanState(plan.step, plan.paused, plan.by, known=plan.known)


def mint(record: GroupRecord, run: str) -> RollbackName:
    """The name of the next rollback of a run."""
    return RollbackName(run, record.rolled_back.get(run, 0) + 1)


def rollback(record: GroupRecord, name: RollbackName, note: Hold) -> GroupRecord:
    """The record with a rollback, minted here or passed on; one that is in it already changes nothing."""
    said = replace(note, who=_said(note.who), why=_said(note.why))
    return merge(record, GroupRecord(rolled_back={name.run: name.number}, notes={name.run: said}))


def release(record: GroupRecord, names: Iterable[RollbackName]) -> GroupRecord:
    """The record without these holds, those that somebody has seen; a rollback that came later still holds."""
    seen = ((name.run, min(name.number, record.rolled_back.get(name.run, 0))) for name in names)
    return merge(record, GroupRecord(released=_greater({}, dict(seen))))


def decide(
    record: GroupRecord,
    to: Position,
    now: float,
    *,
    who: str = "",
    why: str = "",
    plan: PlanState | None = None,
    file: str | None = None,
) -> GroupRecord:
    """The record with a decision that knows all that the record knows. `now`: Unix seconds; `file`: see `consume`.

    `plan` None: a pause stays one, what is known of legacy stays known, and nothing else does.
    """
    seq = max(record.decision.seq + 1, int(now))
    before = plan_state(record)
    if plan is None and (before.paused or before.known):
        plan = _kept(before)
    made = GroupDecision(seq, to, record.rolled_back, plan, _said(who), _said(why))
    decided = replace(record, decision=made)
    return decided if file is None else consume(decided, file)


def consume(record: GroupRecord, file: str) -> GroupRecord:
    """The record with the digest of a routes file whose wish for the group was decided, be it refused."""
    return replace(record, files=record.files | {file})


def _said(text: str) -> str:
    """Shortened, and without what UTF-8 cannot say: every copy has to be equal."""
    return text[:MAX_TEXT].encode(errors="replace").decode()


def _greater(one: Runs, other: Runs) -> dict[str, int]:
    """The greater number of each run."""
    numbers = {run: max(one.get(run, 0), other.get(run, 0)) for run in one.keys() | other.keys()}
    return {run: number for run, number in numbers.items() if number > 0}


def _weight(decision: GroupDecision) -> tuple[object, ...]:
    """The later one counts; of two at once the lower position, then any fixed order."""
    state, share = decision.position.rank
    plan = astuple(decision.plan) if decision.plan else (-1,)
    return decision.seq, -state, -share, sorted(decision.knows.items()), plan, decision.who, decision.why


def _noted(one: GroupRecord, other: GroupRecord, rolled_back: Runs, released: Runs) -> dict[str, Hold]:
    """Notes of the latest rollbacks alone, and only while they hold: what merges to the same records says the same."""
    noted: dict[str, Hold] = {}
    for record in (one, other):
        for run, note in record.notes.items():
            number = rolled_back.get(run, 0)
            if number > released.get(run, 0) and record.rolled_back.get(run, 0) == number:
                noted[run] = max(note, noted.get(run, note), key=_age)
    return noted


def _age(note: Hold) -> tuple[float, str, str]:
    return note.since, note.who, note.why
