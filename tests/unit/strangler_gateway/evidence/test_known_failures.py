"""What fails on both sides: how soon a probe shows it, how rarely it errs, and that a later break is still found."""

from random import Random
from typing import NamedTuple

import pytest

from strangler_gateway.evidence.cards import Advice, Row, fails_as_often, is_better
from strangler_gateway.evidence.group_cards import GroupCards, GroupJudgement
from strangler_gateway.evidence.known_failures import MOST_KNOWN, KnownFailures, remembered
from strangler_gateway.table.routes import BreachRules
from tests.support.effort import examples
from tests.support.gateway.simulated_traffic import Seconds

RULES = BreachRules()


@pytest.mark.parametrize(
    ("seen", "as_often"),
    [
        ((4, 4, 6, 6), None),
        ((4, 4, 7, 7), True),
        ((7, 7, 7, 7), True),
        ((4, 4, 0, 4), False),
        ((4, 4, 0, 0), None),
        ((30, 100, 30, 100), True),
        ((30, 100, 15, 100), False),
        ((30, 100, 5, 15), None),
        ((0, 900, 0, 900), False),
    ],
)
def test_whether_legacy_fails_as_often_is_told_as_soon_as_its_requests_show_it(
    seen: Row, as_often: bool | None
) -> None:
    assert fails_as_often(seen, RULES) is as_often


@pytest.mark.parametrize(("part", "most"), [(0.1, 0.04), (0.3, 0.03), (1.0, 0.02)])
def test_a_legacy_that_is_half_as_bad_is_rarely_taken_for_as_bad(part: float, most: float) -> None:
    """Nominally one of a hundred; a little more, because the part that fails on the new side is estimated, too."""
    runs = examples(400)
    wrong = sum(_decided(Random(seed), part, (part - RULES.margin) / RULES.times) is True for seed in range(runs))
    assert wrong <= most * runs + 2 * (most * runs) ** 0.5


def _decided(draws: Random, new: float, legacy: float) -> bool | None:
    """The new side has filled a card; then both sides have as many requests."""
    failed_new = of_new = failed_legacy = 0
    while failed_new < 4:
        of_new += 1
        failed_new += draws.random() < new
    for of_legacy in range(1, 3000):
        of_new += 1
        failed_new += draws.random() < new
        failed_legacy += draws.random() < legacy
        if (found := fails_as_often((failed_new, of_new, failed_legacy, of_legacy), RULES)) is not None:
            return found
    return None


class Probed(NamedTuple):
    """How a probe ended, after so many seconds, and what it has taught."""

    end: str
    seconds: int
    learned: tuple[KnownFailures, ...] = ()


def probed(traffic: Seconds, new: float, legacy: float, most: int = 300) -> Probed:
    """All users are on the new side; half go to legacy while the card is full, as the driver does it."""
    traffic.share, seconds = 1.0, 0
    while seconds < most:
        found = traffic.pass_one(new, legacy)
        seconds += traffic.share < 1
        if found.advice is Advice.ROLLBACK:
            return Probed("back", seconds)
        if traffic.share < 1 and found.learned and not found.undecided:
            traffic.share = 1.0
            return Probed("learned", seconds, found.learned)
        if traffic.share < 1 and found.advice is Advice.OK and not found.undecided:
            return Probed("nothing", seconds)
        traffic.share = 0.5 if found.advice is Advice.PROBE else traffic.share
    return Probed("undecided", seconds)


@pytest.mark.parametrize(
    ("per_second", "part", "median"), [(1, 1.0, 18), (10, 1.0, 3), (10, 0.3, 20), (10, 0.1, 50), (100, 0.1, 10)]
)
def test_a_probe_ends_when_legacy_fails_as_often_and_goes_back_when_it_does_not(
    per_second: float, part: float, median: int
) -> None:
    seeds = range(examples(16))
    both = [probed(Seconds(seed, per_second, 1.0), part, part) for seed in seeds]
    assert {one.end for one in both} == {"learned"}
    assert sorted(one.seconds for one in both)[len(both) // 2] <= median
    assert {probed(Seconds(seed, per_second, 1.0), part, 0.005).end for seed in seeds} == {"back"}


@pytest.mark.parametrize(
    ("per_second", "usual", "broken", "p95"),
    [
        (1, 0.3, 1.0, 120),
        (10, 0.05, 1.0, 4),
        (10, 0.1, 1.0, 6),
        (10, 0.1, 0.5, 130),
        (10, 0.3, 1.0, 25),
        (100, 0.05, 1.0, 3),
        (100, 0.1, 0.5, 20),
    ],
)
def test_what_is_known_to_fail_moves_nothing_and_goes_back_when_it_breaks(
    per_second: float, usual: float, broken: float, p95: int
) -> None:
    """docs/decisions/gates.md. Half an hour without a probe, then the new side breaks, and legacy goes on as before."""
    seeds, late = examples(12), 0
    for seed in range(seeds):
        traffic = _learned(seed, per_second, usual)
        for _ in range(900):
            found = traffic.pass_one(usual, usual)
            assert (found.advice, found.gone) == (Advice.OK, ())
        late += not 0 < _seconds_to_rollback(traffic, broken, usual) <= p95
    assert late <= max(seeds // 10, 1)


def _learned(seed: int, per_second: float, usual: float) -> Seconds:
    """What the probe has shown is known from now on."""
    traffic = Seconds(seed, per_second, 1.0)
    ended = probed(traffic, usual, usual, most=1500)
    assert ended.end == "learned"
    traffic.gateway.known = ended.learned
    return traffic


def _seconds_to_rollback(traffic: Seconds, new: float, legacy: float) -> int:
    for second in range(1, 600):
        found = traffic.pass_one(new, legacy)
        if found.advice is Advice.ROLLBACK:
            return second
        traffic.share = 0.5 if found.advice is Advice.PROBE else traffic.share
    return 0


@pytest.mark.parametrize("sides", [(0, 20, 0, 0), (10, 20, 0, 20)])
def test_what_was_an_outage_of_both_sides_is_forgotten_when_either_side_works_again(sides: Row) -> None:
    cards, known = GroupCards(), [KnownFailures("read", 30, 60)]
    seconds = next(second for second in range(20) if cards.tick({"read": sides}, 1.0, known=known).gone)
    assert 1 < seconds < 10


def test_a_route_that_fails_by_contract_is_left_out_and_another_one_that_breaks_is_found_as_soon_as_ever() -> None:
    known = [KnownFailures("remove", 7, 7)]

    def until_probe(known: list[KnownFailures]) -> tuple[int, GroupJudgement]:
        cards = GroupCards()
        for second in range(60):
            broken: Row = (1, 1, 0, 0) if second >= 30 else (0, 1, 0, 0)
            rows: dict[str, Row] = {"read": (0, 10, 0, 0), "buy": broken}
            found = cards.tick(rows | ({"remove": (2, 2, 0, 0)} if known else {}), 1.0, known=known)
            if found.advice is not Advice.OK:
                return second, found
        raise AssertionError(found)

    (second, found), (as_ever, _) = until_probe(known), until_probe([])
    assert (second, found.route) == (as_ever, "buy")


def test_cards_begin_anew_with_what_is_learned_and_the_sentence_names_it() -> None:
    cards = GroupCards()
    for second in range(13):
        legacy = int(second >= 5)
        found = cards.tick({"remove": (1, 1, legacy, legacy), "read": (0, 9, 0, 9 * legacy)}, 1.0)
    assert (found.learned, found.undecided) == ((KnownFailures("remove", 8, 8),), False)
    found = cards.tick({"remove": (9, 9, 0, 0), "read": (0, 9, 0, 9)}, 1.0, known=found.learned)
    assert found.says == (
        "no sign of a break: 0.0 of 16 points; what legacy was seen to fail as well is no break: "
        "remove (8 of 8 requests)"
    )
    assert found.to_json()["known"] == {"remove": {"failed": 8, "of": 8, "at": 0}}
    assert cards.calm() == ["remove", "read"]


@pytest.mark.parametrize(
    ("seen", "known", "better"),
    [
        ((80, 100, 40, 100), False, False),
        ((80, 100, 40, 100), True, True),
        ((60, 100, 40, 100), True, False),
        ((9, 100, 1, 100), True, False),
        ((30, 100, 5, 100), True, True),
    ],
)
def test_where_legacy_is_known_to_fail_working_twice_as_often_is_better_too(
    seen: Row, known: bool, better: bool
) -> None:
    assert is_better(seen, RULES, known) is better


def test_of_too_many_the_latest_are_remembered() -> None:
    known = [KnownFailures(f"r{number:02}", 1, 2, number) for number in range(MOST_KNOWN)]
    kept = remembered(known, [KnownFailures("new", 1, 2, 99)], ["r07"])
    assert len(kept) == MOST_KNOWN
    assert {one.stream for one in kept} == {"new", *(one.stream for one in known if one.stream != "r07")}
    assert "r00" not in {one.stream for one in remembered(kept, [KnownFailures("newer", 1, 2, 100)], [])}
