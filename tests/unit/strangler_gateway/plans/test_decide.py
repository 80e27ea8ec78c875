"""What a plan does next. Nothing but a PASS, after its time, in its window, approved, not on hold, makes a step."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.cluster.record import Hold
from strangler_gateway.plans.decide import (
    Moment,
    PlanEvidence,
    PlanStanding,
    back_refused,
    decide,
    next_step,
    position_of,
)
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.table.rules.plan import PlanRules, parse_step, parse_steps
from strangler_gateway.table.rules.time_window import parse_window

STEPS = parse_steps(["shadow 1h", "canary 1%", "canary 10% 1h", "canary 50% 6h", "canary 100% 24h", "extracted"])
RULES = PlanRules(STEPS, auto=True)
MONDAY_NOON, SUNDAY = (datetime(2026, 11, day, 12, tzinfo=UTC).timestamp() for day in (30, 29))
NOON, PASS = Moment(MONDAY_NOON), PlanEvidence("PASS")
SHADOW, EXTRACTED = Position(MigrationState.SHADOW), Position(MigrationState.EXTRACTED)
LONG = 1e9


def canary(share: float) -> Position:
    return Position(MigrationState.CANARY, round(share * 100))


@pytest.mark.parametrize(
    ("position", "step"),
    [
        (LEGACY, "shadow"),
        (SHADOW, "canary 1%"),
        (canary(1), "canary 10%"),
        (canary(5), "canary 10%"),
        (canary(100), "extracted"),
        (EXTRACTED, None),
        (Position(MigrationState.RETIRED), None),
    ],
)
def test_the_next_step_follows_from_where_the_group_stands(position: Position, step: str | None) -> None:
    found = decide(RULES, PlanStanding(position, LONG), NOON, PASS)
    wanted = parse_step(step) if step else None
    assert (found.step and found.step.rank) == (wanted and wanted.rank)
    assert found.advances == found.step


WORKDAYS = replace(RULES, window=parse_window("Mon-Thu 09:00-16:00 UTC"))
MANUAL = replace(RULES, auto=False)
APPROVED = replace(RULES, approve=(parse_step("canary 10%"),))
HERE = PlanStanding(canary(1), LONG)
HOLD = Hold(0.0, "ada", "errors")


@pytest.mark.parametrize(
    ("rules", "here", "moment", "evidence", "codes", "wait_s"),
    [
        (RULES, HERE, NOON, None, ["unknown"], None),
        (RULES, HERE, NOON, PlanEvidence("WAIT", "600 are missing", 90.0), ["evidence"], 90.0),
        (RULES, HERE, NOON, PlanEvidence("WORSE"), ["evidence"], None),
        (RULES, PlanStanding(canary(10), 600), NOON, PASS, ["time"], 3000),
        (RULES, PlanStanding(canary(20), 600), NOON, PASS, ["time"], 3000),
        (RULES, replace(HERE, position=LEGACY, hold=HOLD), NOON, PASS, ["held"], None),
        (RULES, replace(HERE, paused="ada (freeze)"), NOON, PASS, ["paused"], None),
        (RULES, replace(HERE, rollback_ages=(100.0,)), NOON, PASS, ["cooling"], 500),
        (RULES, replace(HERE, rollback_ages=(1000.0, 2000.0, 3000.0)), NOON, PASS, ["limit"], None),
        (RULES, replace(HERE, rollback_ages=(1000.0, 2000.0, 3000.0), asked="ada"), NOON, PASS, [], None),
        (WORKDAYS, HERE, NOON, PASS, [], None),
        (WORKDAYS, HERE, Moment(SUNDAY), PASS, ["window"], 21 * 3600),
        (WORKDAYS, HERE, Moment(MONDAY_NOON, steady=False), PASS, ["clock"], None),
        (MANUAL, HERE, NOON, PASS, ["asked"], None),
        (MANUAL, replace(HERE, asked="ada"), NOON, PASS, [], None),
        (APPROVED, HERE, NOON, PASS, ["approval"], None),
        (APPROVED, replace(HERE, approved="bob"), NOON, PASS, [], None),
        (
            WORKDAYS,
            PlanStanding(canary(10), 0),
            Moment(SUNDAY),
            PlanEvidence("WAIT", "", 7.0),
            ["time", "window", "evidence"],
            21 * 3600,
        ),
    ],
)
def test_a_plan_waits_and_says_for_what_and_how_long(
    rules: PlanRules,
    here: PlanStanding,
    moment: Moment,
    evidence: PlanEvidence | None,
    codes: list[str],
    wait_s: float | None,
) -> None:
    found = decide(rules, here, moment, evidence)
    assert [reason.code for reason in found.reasons] == codes
    assert found.wait_s == wait_s
    assert (found.advances is None) == bool(codes)


@pytest.mark.parametrize("verdict", ["SLOW", "DIFFERENT"])
@pytest.mark.parametrize(
    ("position", "breach"), [(SHADOW, None), (canary(10), "seen"), (EXTRACTED, "seen"), (LEGACY, None)]
)
def test_only_users_can_be_hurt(position: Position, verdict: str, breach: str | None) -> None:
    found = decide(RULES, PlanStanding(position, LONG), NOON, PlanEvidence(verdict, "seen", breach="seen"))  # type: ignore[arg-type]
    assert found.breach == breach
    assert found.advances is None


@pytest.mark.parametrize(
    ("most", "ages", "code"),
    [
        (3, (), None),
        (3, (599.0,), "cooling"),
        (3, (600.0,), None),
        (3, (900.0, 1000.0, 2000.0), "limit"),
        (0, (), "limit"),
    ],
)
def test_it_goes_back_by_itself_only_so_often(most: int, ages: tuple[float, ...], code: str | None) -> None:
    found = back_refused(replace(RULES, max_rollbacks=most), PlanStanding(canary(10), rollback_ages=ages))
    assert (found and found.code) == code
    assert found is None or found.person


positions = st.one_of(
    st.sampled_from([LEGACY, SHADOW, EXTRACTED, Position(MigrationState.RETIRED)]),
    st.integers(0, 10_000).map(lambda share: Position(MigrationState.CANARY, share)),
)
rules = st.builds(
    PlanRules,
    st.lists(st.sampled_from(STEPS), min_size=1, unique=True).map(
        lambda some: tuple(sorted(some, key=lambda s: s.rank))
    ),
    auto=st.booleans(),
    window=st.sampled_from([None, WORKDAYS.window]),
    approve=st.sets(st.sampled_from(STEPS)).map(tuple),
    max_rollbacks=st.integers(0, 3),
)
standings = st.builds(
    PlanStanding,
    positions,
    st.floats(0, 1e6),
    st.sampled_from([None, HOLD]),
    st.sampled_from([None, "ada"]),
    st.sampled_from(["", "ada"]),
    st.sampled_from(["", "bob"]),
    st.lists(st.floats(0, 86_399), max_size=4).map(lambda ages: tuple(sorted(ages))),
)
verdicts = st.sampled_from(["PASS", "WAIT", "WORSE", "SLOW", "DIFFERENT", "OFF"])
evidence = st.one_of(
    st.none(),
    st.builds(
        PlanEvidence, verdicts, st.just("seen"), st.one_of(st.none(), st.floats(0, 1e6)), st.sampled_from(["", "slow"])
    ),
)
moments = st.builds(Moment, st.floats(1.7e9, 1.9e9), st.booleans())


@given(rules, standings, moments, evidence)
def test_no_step_without_all_that_it_needs(
    plan: PlanRules, here: PlanStanding, moment: Moment, seen: PlanEvidence | None
) -> None:
    step = decide(plan, here, moment, seen).advances
    if step is None:
        return
    assert seen is not None
    assert seen.verdict in ("PASS", "OFF")
    assert not seen.breach
    assert here.hold is None
    assert here.paused is None
    assert plan.auto or here.asked
    assert plan.window is None or (moment.steady and plan.window.is_open(moment.now))
    assert here.approved or step not in plan.approve
    reached = [one for one in plan.steps if position_of(one).rank <= here.position.rank]
    assert not reached or here.spent_s >= reached[-1].at_least_s
    assert plan.steps[len(reached)] == step == next_step(plan, here.position)
    assert position_of(step).rank > here.position.rank


@given(rules, standings, moments, evidence, st.floats(-1e8, 1e8))
def test_a_clock_that_jumps_moves_nothing(
    plan: PlanRules, here: PlanStanding, moment: Moment, seen: PlanEvidence | None, jump: float
) -> None:
    jumped = Moment(moment.now + jump, steady=False)
    before, now = decide(plan, here, moment, seen), decide(plan, here, jumped, seen)
    assert now.advances is None or (plan.window is None and now.advances == before.advances)
