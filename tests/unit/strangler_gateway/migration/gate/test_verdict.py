"""The gate's arithmetic against published vectors (docs/decisions/gates.md), and its rules about looks and margins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.evidence.bounds import Proportion, newcombe
from strangler_gateway.migration.gate.pool import Counts, pooled
from strangler_gateway.migration.gate.verdict import Verdict, judge_canary, judge_parity, next_look
from strangler_gateway.table.routes import GateRules

PASS, WORSE, WAIT = Verdict.PASS, Verdict.WORSE, Verdict.WAIT
HALF, TENTH = 5_000, 1_000
NONE = Counts()
DEFAULTS = GateRules()
STRICT = GateRules(min=600, min_above_10=600, delta_above_10=0.005)


def at_look(*counts: int, rules: GateRules = DEFAULTS, share: int = HALF, users: Counts = NONE) -> Verdict:
    """The verdict where the last look saw what there is now."""
    routes = [Counts(*counts)]
    return judge_canary(rules, share, routes, users, routes).verdict


@pytest.mark.parametrize(
    ("counts", "lower", "upper", "verdict"),
    [
        ((0, 1200, 0, 4800), -0.00113, 0.00449, PASS),
        ((0, 600, 0, 2400), None, 0.00894, WAIT),
        ((6, 1200, 24, 4800), None, 0.00768, WAIT),
        ((12, 2400, 48, 9600), None, 0.00485, PASS),
        ((24, 2400, 48, 9600), 0.00077, None, WORSE),
    ],
)
def test_newcombes_limits_and_the_verdict_are_those_of_the_vectors(
    counts: tuple[int, ...], lower: float | None, upper: float | None, verdict: Verdict
) -> None:
    found = newcombe(*pooled([Counts(*counts)]))
    assert lower is None or found[0] == pytest.approx(lower, abs=5e-6)
    assert upper is None or found[1] == pytest.approx(upper, abs=5e-6)
    assert at_look(*counts, rules=STRICT) is verdict


@pytest.mark.parametrize(
    ("equal", "different", "verdict"), [(539, 0, PASS), (538, 0, WAIT), (1000, 4, WAIT), (2000, 30, WORSE)]
)
def test_parity_is_that_of_the_vectors(equal: int, different: int, verdict: Verdict) -> None:
    looked = (equal, different) if equal >= 539 else (0, 0)
    assert judge_parity(GateRules(parity=0.995), equal, different, 0, looked).verdict is verdict
    assert judge_parity(GateRules(), equal, different, 0, looked).verdict is verdict


def test_parity_limits_are_those_of_the_vectors() -> None:
    assert judge_parity(GateRules(), 539, 0, 0).lower == pytest.approx(0.99500, abs=5e-6)
    assert judge_parity(GateRules(), 1000, 4, 0).lower == pytest.approx(0.99116, abs=5e-6)
    assert judge_parity(GateRules(), 2000, 30, 0).upper == pytest.approx(0.98903, abs=5e-6)


def test_a_look_at_fewer_than_a_raised_minimum_counts_no_more() -> None:
    assert at_look(0, 1200, 0, 4800, rules=GateRules(min_above_10=1201)) is WAIT
    assert judge_parity(GateRules(min_shadow=601), 600, 0, 0, (600, 0)).verdict is WAIT


def test_many_moved_answers_are_no_parity() -> None:
    assert judge_parity(GateRules(), 800, 0, 200, (800, 0)).verdict is PASS
    assert judge_parity(GateRules(), 800, 0, 201, (800, 0)).verdict is WAIT


def test_only_a_look_permits_and_what_came_after_it_only_stops() -> None:
    fine, later = Counts(0, 1200, 0, 4800), Counts(60, 1300, 0, 5200)
    assert judge_canary(GateRules(), HALF, [fine], NONE, []).verdict is WAIT
    assert judge_canary(GateRules(), HALF, [Counts(2, 1300, 4, 5200)], NONE, [fine]).verdict is PASS
    assert judge_canary(GateRules(), HALF, [later], NONE, [fine]).verdict is WORSE


def test_up_to_ten_per_cent_fewer_requests_and_a_wider_margin_do() -> None:
    assert at_look(0, 600, 0, 5400, share=TENTH) is PASS
    assert at_look(0, 600, 0, 5400, share=TENTH + 1) is WAIT


def test_looks_are_at_doublings() -> None:
    looks = [next_look(600, seen) for seen in (0, 599, 600, 601, 1199, 1200, 2399, 2400, 5000)]
    assert looks == [600, 600, 1200, 1200, 1200, 2400, 2400, 4800, 9600]


def test_a_small_min_of_ones_own_permits_as_much_as_it_can_show_and_no_failure() -> None:
    few = GateRules(min=20, min_above_10=20, min_shadow=20)
    assert at_look(0, 20, 0, 80, rules=few) is PASS
    assert at_look(1, 20, 0, 80, rules=few) is WAIT
    assert at_look(20, 20, 0, 80, rules=few) is WORSE
    assert judge_parity(few, 20, 0, 0, (20, 0)).verdict is PASS
    assert judge_parity(few, 19, 1, 0, (19, 1)).verdict is WAIT


def test_a_small_min_permits_too_where_the_sides_were_not_asked_for_each_route_in_proportion() -> None:
    few = GateRules(min=4, min_above_10=8)
    routes = [Counts(0, 4, 0, 48), Counts(0, 3, 0, 47), Counts(0, 2, 0, 47)]
    assert judge_canary(few, TENTH, routes, NONE, routes).verdict is PASS
    failed = [Counts(1, 4, 0, 48), *routes[1:]]
    assert judge_canary(few, TENTH, failed, NONE, failed).verdict is not PASS
    enough = [Counts(0, 400, 0, 40), Counts(0, 200, 0, 2000)]  # no small sample: its margin is the usual one
    assert judge_canary(DEFAULTS, TENTH, enough, NONE, enough).verdict is WAIT


def test_a_margin_of_ones_own_is_not_widened() -> None:
    own = GateRules(min=20, min_above_10=20, delta_above_10=0.01)
    assert at_look(0, 20, 0, 80, rules=own) is WAIT
    assert at_look(0, 541, 50, 2000, rules=own) is WAIT  # 5.41 / δ requests, however bad legacy is
    assert at_look(0, 542, 0, 2000, rules=own) is PASS


def test_without_legacy_traffic_the_new_side_alone_must_be_good() -> None:
    assert at_look(0, 1200, 0, 0) is PASS
    assert at_look(6, 1200, 0, 0) is WAIT


def test_users_who_meet_failures_hold_the_step() -> None:
    assert at_look(0, 1200, 0, 4800, users=Counts(15, 500, 4, 2000)) is WAIT
    assert at_look(0, 1200, 0, 4800, users=Counts(4, 500, 15, 2000)) is PASS


def test_unequal_shares_between_routes_are_no_difference_between_sides() -> None:
    """Each route fails as often on both sides; the new side gets more of the bad one (Simpson's paradox)."""
    good, bad = Counts(5, 1000, 50, 10_000), Counts(500, 5000, 50, 500)
    assert newcombe(*pooled([Counts(*map(sum, zip(good, bad, strict=True)))]))[0] > 0.05
    assert at_look_of([good, bad]) is not WORSE
    new, legacy = pooled([good, bad])
    assert new.part == pytest.approx(legacy.part)


def test_a_route_that_one_side_alone_was_asked_for_counts_too() -> None:
    assert at_look_of([Counts(0, 1200, 0, 1200), Counts(200, 200, 0, 0)]) is WORSE


def at_look_of(routes: list[Counts]) -> Verdict:
    return judge_canary(GateRules(), HALF, routes, NONE, routes).verdict


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=6),
    st.integers(1, 9),
)
def test_with_equal_shares_the_pool_is_the_plain_sum(routes: list[tuple[int, int]], ratio: int) -> None:
    rows = [Counts(failed, 50, failed * ratio, 50 * ratio) for failed, _ in routes]
    summed = Counts(*map(sum, zip(*rows, strict=True)))
    for pooled_side, plain in zip(pooled(rows), pooled([summed]), strict=True):
        assert pooled_side.part == pytest.approx(plain.part)
        assert pooled_side.of == pytest.approx(plain.of)


@given(st.integers(0, 99), st.integers(1, 99), st.integers(0, 99), st.integers(0, 99))
def test_limits_hold_the_difference_and_stay_differences(f_new: int, new: int, f_legacy: int, legacy: int) -> None:
    parts = (
        Proportion(min(f_new, new) / new, new),
        Proportion(min(f_legacy, legacy) / legacy if legacy else 0.0, legacy),
    )
    lower, upper = newcombe(*parts)
    assert -1.0000001 <= lower <= parts[0].part - parts[1].part <= upper <= 1.0000001
