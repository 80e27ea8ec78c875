"""The edges between the migration states, and what each needs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.cluster.record import Hold
from strangler_gateway.migration.gate.evidence import RouteSeen, gathered
from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.migration.rules.move_rules import (
    Evidence,
    MoveRefusal,
    RouteEvidence,
    refusals,
    standing_refusals,
    warnings,
)
from strangler_gateway.migration.states import Direction, Move, SeenReport, undo
from strangler_gateway.table.position import ORDER, Position
from strangler_gateway.table.routes import GateRules, MigrationState
from strangler_gateway.telemetry.migration_steps.counts import StepCounts

POSITIONS = {
    "legacy": Position(MigrationState.LEGACY),
    "shadow": Position(MigrationState.SHADOW),
    "canary10": Position(MigrationState.CANARY, 1000),
    "canary50": Position(MigrationState.CANARY, 5000),
    "extracted": Position(MigrationState.EXTRACTED),
    "retired": Position(MigrationState.RETIRED),
}
# = stays, > goes forward, < goes back, x jumps over a state, r only a rollback reopens
EDGES = """
                legacy  shadow  canary10  canary50  extracted  retired
    legacy      =       >       x         x         x          x
    shadow      <       =       >         >         x          x
    canary10    <       <       =         >         >          x
    canary50    <       <       <         =         >          x
    extracted   <       <       <         <         =          >
    retired     r       r       r         r         r          =
"""
WITHOUT_A_SAFE_METHOD = EDGES.replace(
    "legacy      =       >       x         x         x", "legacy      =       >       >         >         x"
)
COMPARED = RouteEvidence("read", requests=9, compared=9)
WRITE = RouteEvidence("write", safe=False, writes=True)
NOBODY = Counts()
DEFAULTS = GateRules()
DAY = 86400.0


def edges(table: str) -> list[tuple[str, str, str]]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return [(row[0], after, sign) for row in rows for after, sign in zip(head, row[1:], strict=True)]


PROVEN = SeenReport("items", 100 * DAY, proven=True, digest="1", asked_by="alice")


def evidence(*routes: RouteEvidence) -> Evidence:
    """All that every move needs."""
    return Evidence(routes or (COMPARED,), now=100 * DAY, retire_after_s=14 * DAY)


def gated(here: str = "shadow", counts: Counts = NOBODY, rules: GateRules = DEFAULTS, **read: Any) -> Evidence:
    """With what the gate has seen of one route."""
    step, route = StepCounts(0.0, POSITIONS[here].share), replace(COMPARED, **read)
    seen = step.of("read")
    seen.failed_new, seen.new, seen.failed_legacy, seen.legacy = counts
    row = RouteSeen("read", counts, 0.0, True, route.compared, route.different, route.moved)
    return replace(evidence(route), gate=gathered(POSITIONS[here], step, rules, [row], 3600.0, 0.0))


def move(before: str, after: str, *, why: str = "because", force: bool = False) -> Move:
    return Move("items", POSITIONS[before], POSITIONS[after], why, force, report=PROVEN)


def codes(before: str, after: str, known: Evidence, *, force: bool = False) -> list[str]:
    wish = move(before, after, force=force)
    return [refusal.code for refusal in standing_refusals(wish, refusals(wish, known))]


AWAY = MoveRefusal("unreachable", "shop: no answer", forcible=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("drawn", "known"), [(EDGES, COMPARED), (WITHOUT_A_SAFE_METHOD, WRITE)], ids=["safe method", "writes only"]
)
def test_every_edge_is_as_drawn_and_force_changes_none(drawn: str, known: RouteEvidence, force: bool) -> None:
    for before, after, sign in edges(drawn):
        refused = {"x": ["step"], "r": ["retired"]}.get(sign, [])
        assert (before, after, codes(before, after, evidence(known), force=force)) == (before, after, refused)
        direction = {"=": Direction.NONE, "<": Direction.BACK, "r": Direction.BACK}.get(sign, Direction.FORWARD)
        assert move(before, after).direction is direction


@pytest.mark.parametrize(
    ("before", "after", "known", "code"),
    [
        ("legacy", "shadow", replace(evidence(), unreachable=(AWAY,)), "unreachable"),
        ("canary10", "canary50", replace(evidence(), unreachable=(AWAY,)), "unreachable"),
        ("shadow", "canary10", evidence(replace(COMPARED, compared=0)), "not_compared"),
        ("shadow", "canary10", evidence(COMPARED, RouteEvidence("other", requests=1)), "not_compared"),
        ("shadow", "canary10", gated(compared=9, different=1), "differences"),
        ("shadow", "canary10", gated(compared=538), "wait"),
        ("shadow", "canary10", gated(compared=2000, moved=500), "moved"),
        ("shadow", "canary10", gated(compared=539, rules=GateRules(parity=0.999)), "wait"),
        ("shadow", "canary10", gated(compared=1500, different=1, rules=GateRules(parity=0.999)), "differences"),
        ("canary10", "canary50", gated("canary10", Counts(0, 600, 0, 5400), rules=GateRules(delta=0.001)), "wait"),
        ("canary10", "canary50", gated("canary10", Counts(0, 599, 0, 5400)), "wait"),
        ("canary10", "extracted", gated("canary10", Counts(8, 8, 0, 32)), "worse"),
        ("canary50", "extracted", gated("canary50", Counts(0, 1199, 0, 1200)), "wait"),
        ("legacy", "canary10", replace(evidence(WRITE), data="own"), "own_data"),
        ("canary10", "canary50", replace(evidence(COMPARED, WRITE), data="own"), "own_data"),
    ],
)
def test_a_preflight_refuses_and_force_overrides(before: str, after: str, known: Evidence, code: str) -> None:
    assert codes(before, after, known) == [code]
    assert codes(before, after, known, force=True) == []


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ("legacy", "shadow", evidence(replace(COMPARED, compared=0))),
        ("shadow", "canary10", evidence(COMPARED, RouteEvidence("never called"))),
        ("shadow", "canary10", evidence(COMPARED, WRITE)),
        ("shadow", "canary10", evidence(COMPARED, RouteEvidence("the monolith never had it", new=True, requests=5))),
        ("legacy", "canary10", evidence(WRITE, RouteEvidence("the monolith never had it", new=True, requests=5))),
        ("shadow", "canary10", evidence(COMPARED, RouteEvidence("no new end", new_end=False, requests=5))),
        ("canary50", "extracted", replace(evidence(COMPARED, WRITE), data="own")),
        ("shadow", "canary10", gated(compared=1500, different=1)),
        ("shadow", "canary10", gated(compared=2000, moved=400)),
        ("canary10", "canary50", gated("canary10", Counts(0, 600, 0, 5400))),
        ("canary50", "extracted", gated("canary50", Counts(12, 2400, 48, 9600))),
        ("shadow", "canary10", replace(evidence(), data="own")),
    ],
)
def test_a_preflight_asks_for_no_more_than_it_can_have(before: str, after: str, known: Evidence) -> None:
    assert codes(before, after, known) == []


def test_a_refusal_tells_the_numbers_and_one_example() -> None:
    example = {"path": "/item/{id}", "place": "$.price"}
    known = gated(compared=12, different=3, example=example)
    [refusal] = refusals(move("shadow", "canary10"), known)
    assert ("3 of 12" in refusal.message, refusal.example) == (True, example)


def test_a_move_forward_needs_a_why_and_no_force_replaces_it() -> None:
    wish = move("legacy", "shadow", why="  ", force=True)
    assert [r.code for r in standing_refusals(wish, refusals(wish, evidence()))] == ["why"]


@pytest.mark.parametrize("before", ["legacy", "shadow", "canary10", "extracted"])
def test_a_hold_stops_every_move_forward_force_or_not(before: str) -> None:
    held = replace(evidence(), hold=Hold(1.0, "alice"))
    forward = [name for name, position in POSITIONS.items() if position.rank > POSITIONS[before].rank]
    assert all("held" in codes(before, after, held, force=True) for after in forward)
    assert codes(before, "legacy", held) == []


def test_a_unit_without_a_new_end_goes_nowhere_and_retires_only_whole() -> None:
    assert codes("legacy", "shadow", evidence(replace(COMPARED, new_end=False))) == ["no_new_end"]
    known = evidence(COMPARED, RouteEvidence("left behind", new_end=False))
    assert codes("extracted", "retired", known) == ["no_new_end"]


@pytest.mark.parametrize(
    "known",
    [
        replace(evidence(), entered_at=87 * DAY),
        replace(evidence(), counted_since=87 * DAY),
        evidence(replace(COMPARED, last_legacy_at=87 * DAY)),
    ],
    ids=["extracted for too short", "counted for too short", "a legacy request too lately"],
)
def test_a_unit_retires_only_after_a_proven_rest_and_no_force_replaces_that(known: Evidence) -> None:
    assert codes("extracted", "retired", known, force=True) == ["legacy_traffic"]
    assert codes("extracted", "retired", replace(known, retire_after_s=12 * DAY)) == []


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (None, "needs a retire report"),
        (replace(PROVEN, group="orders"), "is about orders, not about items"),
        (replace(PROVEN, proven=False), "is no proof"),
        (replace(PROVEN, made_at=98.9 * DAY), "1.1 d old"),
        (replace(PROVEN, made_at=79 * DAY), "made after the last move of items"),
    ],
)
def test_a_unit_retires_only_with_a_report_that_is_about_it_and_now(report: SeenReport | None, said: str) -> None:
    wish = replace(move("extracted", "retired", force=True), report=report)
    [refusal] = refusals(wish, replace(evidence(), entered_at=80 * DAY))
    assert (refusal.code, refusal.forcible, said in refusal.message) == ("report", False, True)


def test_warnings_tell_of_routes_without_a_call_and_of_writes_left_behind() -> None:
    assert "idle" in "".join(warnings(move("shadow", "canary10"), evidence(COMPARED, RouteEvidence("idle"))))
    own = replace(evidence(WRITE), data="own")
    assert "unknown to the monolith" in "".join(warnings(move("canary10", "legacy"), own))
    assert warnings(move("shadow", "legacy"), own) == ()


@pytest.mark.parametrize(
    ("state", "share", "reason"),
    [
        (MigrationState.CANARY, -1, "basis points"),
        (MigrationState.CANARY, 10_001, "basis points"),
        (MigrationState.SHADOW, 1, "belongs to canary"),
    ],
)
def test_a_share_that_cannot_be_cannot_be_said(state: MigrationState, share: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Position(state, share)


places = st.sampled_from(ORDER).flatmap(
    lambda state: st.builds(
        Position, st.just(state), st.integers(0, 10_000) if state is MigrationState.CANARY else st.just(0)
    )
)


@given(places, places)
def test_the_undo_leads_back_over_edges_that_exist(before: Position, after: Position) -> None:
    steps, here = undo(before, after), after
    if not steps:
        assert after.state is MigrationState.RETIRED
        return
    for step in steps:
        assert refusals(Move("items", here, step, "undo", report=PROVEN), evidence()) == ()
        here = step
    assert here == before
