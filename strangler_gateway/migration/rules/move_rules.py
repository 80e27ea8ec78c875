"""Why a move is refused: first its own faults, then its preflight. Pure; all refusals are returned at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from strangler_gateway.cluster.record import Hold
from strangler_gateway.migration.gate import sentences
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.sentences import Refused, span
from strangler_gateway.migration.states import Direction, Move, RefusalCode
from strangler_gateway.table.position import ORDER
from strangler_gateway.table.routes import MigrationState


@dataclass(frozen=True, slots=True)
class RouteEvidence:
    """What is known of one route of the movable. Counts start when the movable enters shadow."""

    id: str
    new_end: bool = True
    safe: bool = True
    """Takes a safe method (RFC 9110 §9.2.1), and a service answers: shadow can compare."""
    new: bool = False
    """The monolith never had it."""
    writes: bool = False
    """Takes a method that is not safe."""
    shadowed: bool = True
    """Has `shadow: {pure: true}`: its safe requests may be sent twice."""
    requests: int = 0
    compared: int = 0
    different: int = 0
    moved: int = 0
    failed: int = 0
    """Second calls without an answer to compare: none, too slow, too long."""
    example: Mapping[str, object] | None = None
    """One difference."""
    last_legacy_at: float = 0.0
    """Unix seconds of the last request that went to the monolith; 0.0: none."""


REPORT_LIFE_S = 86_400.0
"""How old the report may be with which a group retires."""


@dataclass(frozen=True, slots=True)
class MoveRefusal:
    """Why a move is refused: a code for programs; a sentence with what was found, what is required and what to do."""

    code: RefusalCode
    message: str
    forcible: bool = False
    example: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a move is judged by. Times are Unix seconds."""

    routes: tuple[RouteEvidence, ...]
    unreachable: tuple[MoveRefusal, ...] = ()
    """New ends that do not answer or are not ready, each with the reason and what to do."""
    data: Literal["shared", "own"] = "shared"
    hold: Hold | None = None
    entered_at: float = 0.0
    """When the movable came to its position."""
    counted_since: float = 0.0
    """Since when the counters have no gap."""
    now: float = 0.0
    retire_after_s: float = 0.0
    gate: GateEvidence | None = None


def refusals(move: Move, evidence: Evidence) -> tuple[MoveRefusal, ...]:
    """Why the move is refused, whatever `force` says: its own faults, else those of its preflight; empty: allowed."""
    if move.rollback or move.direction is Direction.NONE:
        return ()
    if move.direction is Direction.BACK:
        return tuple(_reopened(move))
    return _found(_EDGES, move, evidence) or _found(_PREFLIGHT, move, evidence)


def standing_refusals(move: Move, found: tuple[MoveRefusal, ...]) -> tuple[MoveRefusal, ...]:
    """The refusals that `force` does not override."""
    return tuple(r for r in found if not (move.force and r.forcible))


def warnings(move: Move, evidence: Evidence) -> tuple[str, ...]:
    """What is allowed and worth knowing, as sentences."""
    return tuple(text for warn in _WARNINGS for text in warn(move, evidence))


Check = Callable[[Move, Evidence], Iterator[MoveRefusal]]


def _found(checks: tuple[Check, ...], move: Move, evidence: Evidence) -> tuple[MoveRefusal, ...]:
    return tuple(refusal for check in checks for refusal in check(move, evidence))


def _reopened(move: Move) -> Iterator[MoveRefusal]:
    if move.before.state is MigrationState.RETIRED:
        yield MoveRefusal(
            "retired", f"{move.unit} is retired: only a rollback reopens it, run `strangler rollback {move.unit}`"
        )


def _held(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    if evidence.hold is not None:
        why = f" ({evidence.hold.why})" if evidence.hold.why else ""
        yield MoveRefusal(
            "held",
            f"{move.unit} was rolled back by {evidence.hold.who}{why} and is on hold: "
            f"run `strangler release {move.unit}` first",
        )


def _without_why(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    if not move.why.strip():
        yield MoveRefusal("why", f"a move forward needs a reason: say why {move.unit} goes to {move.after} (`--why`)")


def _without_end(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    without = [r.id for r in evidence.routes if not r.new_end]
    if evidence.routes and len(without) == len(evidence.routes):
        yield MoveRefusal(
            "no_new_end",
            f"no route of {move.unit} has a new end: "
            f"add `extracted:`, `publish:` or `aggregate:` to {listing(without)} first",
        )
    elif without and move.after.state is MigrationState.RETIRED:
        yield MoveRefusal(
            "no_new_end", f"{listing(without)} still ends in the monolith: {move.unit} cannot retire before it moves"
        )


def _one_step(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    here, there = ORDER.index(move.before.state), ORDER.index(move.after.state)
    if there - here <= 1 or (move.after.state is MigrationState.CANARY and not _readable(evidence)):
        return
    following = ORDER[here + 1]
    yield MoveRefusal(
        "step",
        f"{move.unit} is in {move.before} and cannot jump to {move.after}: the next state is {following} "
        f"(legacy → shadow → canary → extracted → retired)",
    )


def _unreachable(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    yield from evidence.unreachable


def _uncompared(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    """A route that nobody called is no fault if other routes of its movable have been compared; see _uncalled."""
    if move.before.state is not MigrationState.SHADOW or move.after.state is not MigrationState.CANARY:
        return
    readable = _readable(evidence)
    none = not any(r.compared for r in readable)
    for route in readable:
        if not route.compared and (none or route.requests):
            yield MoveRefusal("not_compared", _why_uncompared(route), forcible=True)


def _why_uncompared(route: RouteEvidence) -> str:
    seen = f"{route.id}: shadow compared 0 of {route.requests} requests"
    if not route.shadowed:
        return f"{seen}: the route has no `shadow: {{pure: true}}`; add it and leave it in shadow for a while"
    if route.failed:
        return f"{seen}, {route.failed} second calls failed: check the service, then leave it in shadow for a while"
    return f"{seen}, at least 1 is required: leave it in shadow until requests arrive"


def _gate(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    """Every step out of shadow, and every one forward from canary (docs/decisions/gates.md)."""
    if evidence.gate is not None:
        shadow_example = next((r.example for r in evidence.routes if r.example), None)
        yield from _shown(sentences.refused(move.unit, evidence.gate), evidence.gate.example or shadow_example)


def _shown(found: Iterator[Refused], example: Mapping[str, object] | None) -> Iterator[MoveRefusal]:
    """With one example, in the first of them."""
    for number, (code, message) in enumerate(found):
        yield MoveRefusal(code, message, forcible=True, example=None if number else example)


def _own_writes(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    writing = _writing(evidence)
    if move.after.state is MigrationState.CANARY and evidence.data == "own" and writing:
        yield MoveRefusal(
            "own_data",
            f"{move.unit} has `data: own` and {listing(writing)} writes: in canary the service and the monolith "
            "would not see each other's writes",
            forcible=True,
        )


def _legacy_traffic(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    """`force` never overrides it: when everything is retired, the monolith may be switched off."""
    if move.after.state is not MigrationState.RETIRED:
        return
    required = f"`retire_after` requires {span(evidence.retire_after_s)} without a request to the monolith"
    last = max((r.last_legacy_at for r in evidence.routes), default=0.0)
    for what, since in (
        ("in this state", evidence.entered_at),
        ("counted", evidence.counted_since),
        ("free of legacy requests", last),
    ):
        seen = max(evidence.now - since, 0.0)
        if seen < evidence.retire_after_s:
            yield MoveRefusal("legacy_traffic", f"{move.unit} has been {what} for {span(seen)} only; {required}")


def _unreported(move: Move, evidence: Evidence) -> Iterator[MoveRefusal]:
    """`force` never overrides it."""
    if move.after.state is not MigrationState.RETIRED:
        return
    report, name = move.report, move.unit
    make = f"run `strangler retire-report {name}`, then flip with `--report` and the file that it writes"
    if report is None:
        yield MoveRefusal("report", f"{name} needs a retire report before it is retired: {make}")
    elif report.group != name:
        yield MoveRefusal("report", f"the report is about {report.group}, not about {name}: {make}")
    elif not report.proven:
        yield MoveRefusal("report", f"the report is no proof, and its `missing` says why. When that is over, {make}")
    elif report.made_at < evidence.entered_at or evidence.now - report.made_at > REPORT_LIFE_S:
        age = span(evidence.now - report.made_at)
        wanted = f"wanted one of the last day, made after the last move of {name}"
        yield MoveRefusal("report", f"the report is {age} old; {wanted}: {make}")


def _uncalled(move: Move, evidence: Evidence) -> Iterator[str]:
    if move.before.state is MigrationState.SHADOW and move.after.state is MigrationState.CANARY:
        for route in _readable(evidence):
            if not route.compared and not route.requests:
                yield f"{route.id} was not called while in shadow: its answers were not compared"


def _tolerated(move: Move, evidence: Evidence) -> Iterator[str]:
    if move.direction is Direction.FORWARD and evidence.gate is not None:
        yield from sentences.tolerated(move.unit, evidence.gate)


def _strands_writes(move: Move, evidence: Evidence) -> Iterator[str]:
    served = move.before.state in (MigrationState.CANARY, MigrationState.EXTRACTED, MigrationState.RETIRED)
    if move.direction is Direction.BACK and served and evidence.data == "own" and _writing(evidence):
        yield f"{move.unit} has `data: own`: what was written at the service is unknown to the monolith"


_EDGES: tuple[Check, ...] = (_held, _without_why, _without_end, _one_step)
_PREFLIGHT: tuple[Check, ...] = (_unreachable, _uncompared, _gate, _own_writes, _legacy_traffic, _unreported)
_WARNINGS = (_uncalled, _tolerated, _strands_writes)


def _readable(evidence: Evidence) -> list[RouteEvidence]:
    """Routes that shadow can compare."""
    return [r for r in evidence.routes if r.new_end and r.safe and not r.new]


def _writing(evidence: Evidence) -> list[str]:
    return [r.id for r in evidence.routes if r.new_end and r.writes]


def listing(ids: list[str]) -> str:
    """The first five, and how many more."""
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
