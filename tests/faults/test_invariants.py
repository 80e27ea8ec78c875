"""The auditor: nothing to say of books that add up, one sentence for each thing that does not."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.system.books import Books, Row
from tests.support.system.crowd import Order, Wish
from tests.support.system.invariants import Known, breaches, terminal_changed
from tests.support.system.tally import tally

USER, ITEM, PURCHASE, REFUNDED, REWARD = "user", "item", "purchase", "refunded", "reward"
KNOWN = Known({USER: 100})


def purchase(purchase_id: str, state: str, item_id: str = ITEM) -> Row:
    return {
        "id": purchase_id,
        "user_id": USER,
        "item_id": item_id,
        "price": 10,
        "state": state,
        "revoked_at": None,
    }


def decision(purchase_id: str, outcome: str) -> Row:
    return {"purchase_id": purchase_id, "user_id": USER, "item_id": ITEM, "outcome": outcome}


SOUND = Books(
    purchases={PURCHASE: purchase(PURCHASE, "COMPLETED"), REFUNDED: purchase(REFUNDED, "REFUNDED", "other")},
    requests={PURCHASE: {"id": PURCHASE}},
    ledger={PURCHASE: {"debit": -10}, REFUNDED: {"debit": -10, "refund": 10}},
    decisions={PURCHASE: decision(PURCHASE, "decreased"), REFUNDED: decision(REFUNDED, "refused")},
    stock={ITEM: {"item_id": ITEM, "initial": 1, "restocked": 1, "sold": 1, "available": 1}},
    points={USER: 97},
    transactions={PURCHASE: {"id": PURCHASE, "user_id": USER, "Object_id": ITEM, "deleted_at": None}},
    unpublished=[],
    parked=[],
    rewards={REWARD: {"id": REWARD, "user_id": USER, "amount": 7, "state": "earned"}},
    paid={REWARD: 7},
)


def test_books_that_add_up_have_no_breach() -> None:
    assert breaches(SOUND, KNOWN) == []


@pytest.mark.parametrize(
    ("number", "change"),
    [
        ("I1", {"points": {USER: 98}}),
        ("I1", {"points": {USER: 87}}),
        ("I13", {"paid": {}}),
        ("I13", {"paid": {REWARD: 8}}),
        ("I13", {"rewards": {}}),
        ("I13", {"rewards": {REWARD: {"id": REWARD, "user_id": USER, "amount": 7, "state": "paid_elsewhere"}}}),
        ("I2", {"points": {USER: -1}}),
        ("I3", {"stock": {ITEM: {"item_id": ITEM, "initial": 1, "restocked": 0, "sold": 1, "available": 1}}}),
        ("I3", {"stock": {ITEM: {"item_id": ITEM, "initial": 3, "restocked": 0, "sold": 2, "available": 1}}}),
        ("I4", {"transactions": {}}),
        ("I4", {"decisions": {REFUNDED: decision(REFUNDED, "refused")}}),
        ("I5", {"decisions": {PURCHASE: decision(PURCHASE, "cancelled"), REFUNDED: decision(REFUNDED, "refused")}}),
        ("I5", {"ledger": {PURCHASE: {"debit": -10}, REFUNDED: {"debit": -10}}}),
        ("I5", {"purchases": {PURCHASE: purchase(PURCHASE, "REJECTED"), REFUNDED: SOUND.purchases[REFUNDED]}}),
        ("I6", {"purchases": {PURCHASE: purchase(PURCHASE, "DEBITED"), REFUNDED: SOUND.purchases[REFUNDED]}}),
        ("I7", {"unpublished": ["account message"]}),
        ("I7", {"decisions": {**SOUND.decisions, "stray": decision("stray", "refused")}}),
        (
            "I8",
            {"purchases": {**SOUND.purchases, "second": purchase("second", "COMPLETED")}},
        ),
        (
            "I8",
            {"transactions": {**SOUND.transactions, "second": {**SOUND.transactions[PURCHASE], "id": "second"}}},
        ),
    ],
)
def test_each_thing_that_does_not_add_up_is_said(number: str, change: dict[str, Any]) -> None:
    assert any(breach.startswith(number) for breach in breaches(replace(SOUND, **change), KNOWN))


def test_while_it_runs_open_purchases_and_waiting_messages_are_no_breach() -> None:
    running = replace(
        SOUND,
        purchases={PURCHASE: purchase(PURCHASE, "CANCELLING"), REFUNDED: SOUND.purchases[REFUNDED]},
        unpublished=["shop message"],
    )
    assert breaches(running, replace(KNOWN, at_rest=False)) == []


def test_a_terminal_state_that_changes_is_said_and_a_decision_that_goes() -> None:
    later = replace(
        SOUND, purchases={PURCHASE: purchase(PURCHASE, "REFUNDED"), REFUNDED: SOUND.purchases[REFUNDED]}, decisions={}
    )
    assert len(terminal_changed(SOUND, later)) == 3
    assert terminal_changed(SOUND, SOUND) == []


def order(status: int | None, item_id: str = ITEM, named: str | None = PURCHASE) -> Order:
    return Order(Wish(USER, "token", item_id, "key"), status, 1, named)


@pytest.mark.parametrize(
    ("orders", "line"),
    [
        ([order(204), order(403, "other")], "lost 0, recovered 0, unexpected 0, duplicated 0"),
        ([order(204), order(202, "other", "nobody")], "lost 1, recovered 1, unexpected 0, duplicated 0"),
        ([order(204), order(None, "other")], "lost 0, recovered 1, unexpected 0, duplicated 0"),
        ([order(403), order(403, "other")], "lost 0, recovered 0, unexpected 1, duplicated 0"),
        ([order(204)], "lost 0, recovered 0, unexpected 1, duplicated 0"),
        ([order(204), order(403, "other"), order(201, "third")], "lost 1, recovered 0, unexpected 0, duplicated 0"),
    ],
)
def test_what_buyers_were_told_is_counted_against_the_books(orders: list[Order], line: str) -> None:
    assert str(tally(SOUND, orders)) == line


def test_two_charges_for_one_item_are_a_duplicate() -> None:
    twice = replace(
        SOUND,
        purchases={**SOUND.purchases, "second": purchase("second", "COMPLETED")},
        ledger={**SOUND.ledger, "second": {"debit": -10}},
    )
    assert len(tally(twice, [order(204), order(403, "other")]).duplicated) == 1
