"""Differences by name: what is accepted later no longer counts, by route and status class; bounded."""

import json

import pytest

from strangler_gateway.table.rules.accept import AcceptRule, names_at
from strangler_gateway.telemetry.migration_steps.parity import DIFFERENT, EQUAL, MAX_SIGNATURES, MOVED, StepParity

PRICE, ETAG = "type $.price", "header header etag"


def seen() -> StepParity:
    parity = StepParity()
    for status, outcome, names in (
        (200, EQUAL, ()),
        (204, EQUAL, ()),
        (200, DIFFERENT, (PRICE,)),
        (200, DIFFERENT, (PRICE, ETAG)),
        (404, DIFFERENT, (ETAG,)),
        (404, MOVED, ()),
    ):
        parity.compared("r", status, outcome, names)
    return parity


@pytest.mark.parametrize(
    ("accepted", "counted"),
    [
        ((), {"2xx": (2, 2), "4xx": (0, 1)}),
        ((PRICE,), {"2xx": (3, 1), "4xx": (0, 1)}),
        ((ETAG,), {"2xx": (2, 2), "4xx": (1, 0)}),
        ((PRICE, ETAG), {"2xx": (4, 0), "4xx": (1, 0)}),
    ],
)
def test_an_answer_counts_as_equal_if_all_its_differences_are_accepted(
    accepted: tuple[str, ...], counted: dict[str, tuple[int, int]]
) -> None:
    assert seen().routes["r"].counted(frozenset(accepted)) == counted


def test_each_name_has_a_count_and_all_processes_add_up() -> None:
    worker, parent = seen(), StepParity()
    for _ in range(2):
        parent.add(json.loads(json.dumps(worker.drain())))
    parent.add(json.loads(json.dumps(seen().snapshot())))
    assert parent.routes["r"].names() == {PRICE: 4, ETAG: 4}
    assert parent.routes["r"].classes == {"2xx": [4, 4, 0], "4xx": [0, 2, 2]}


def test_what_a_hostile_service_says_is_bounded_and_still_counts() -> None:
    parity = StepParity()
    for number in range(3 * MAX_SIGNATURES):
        parity.compared("r", 200, DIFFERENT, (f"value $.{number}{'x' * 1000}",))
    assert len(parity.routes["r"].signatures) == MAX_SIGNATURES + 1
    assert len(json.dumps(parity.snapshot())) < 40_000
    assert parity.routes["r"].counted(frozenset()) == {"2xx": (0, 3 * MAX_SIGNATURES)}


@pytest.mark.parametrize(
    "saved", [{"r": {"classes": {"9xx": [1, 1, 1]}, "names": {}}}, {"r": 3}, {"r": {"classes": {}}}]
)
def test_a_damaged_snapshot_is_refused(saved: object) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        StepParity().add(saved)  # type: ignore[arg-type]  # it may be anything


def test_an_accepted_difference_counts_again_after_its_last_day() -> None:
    rules = [AcceptRule("$.items[0].price", "type", "w", "2026-12-31"), AcceptRule("status", "status", "w")]
    last_second = 1_798_761_599.0  # 2026-12-31T23:59:59Z
    assert names_at(rules, last_second) == {"type $.items[*].price", "status status"}
    assert names_at(rules, last_second + 1) == {"status status"}
