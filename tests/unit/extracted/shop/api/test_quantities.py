"""PUT and GET /item/{id}/quantity: new routes, answered in the monolith's own form."""

import json

import pytest

from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import ADMIN, BAD_REQUEST, NOT_FOUND, UNKNOWN, Answer, RunningShop, send, told

MOST = 2**31 - 1


def put(shop: RunningShop, item: str, body: object) -> Answer:
    return send(shop, "PUT", f"/item/{item}/quantity", body)


def get(shop: RunningShop, item: str) -> tuple[int, bytes]:
    return told(shop.ask(f"/item/{item}/quantity", ADMIN))


def shown(quantity: int | None) -> tuple[int, bytes]:
    return 200, json.dumps({"metadata": {}, "data": {"quantity": quantity}}, separators=(",", ":")).encode()


@pytest.mark.parametrize("quantity", [0, 1, MOST, None])
def test_what_is_set_is_told_by_both_routes(seller: RunningShop, monolith: MonolithFile, quantity: int | None) -> None:
    item = monolith.add_item()
    assert get(seller, item) == shown(None)
    assert told(put(seller, item, b'{"quantity": 7.0}')) == shown(7)
    assert told(put(seller, item, {"quantity": quantity})) == shown(quantity) == get(seller, item)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"quantity": -1}, {"quantity": 1.5}, {"quantity": MOST + 1}, {"quantity": 10**400}, {"quantity": "5"},
     {"quantity": True}, {"quantity": [5]}, {"quantity": {}}, {"quantity": 5, "more": 1}, {"Quantity": 5},
     b'{"quantity": 1e999}', b'{"quantity": NaN}', b'{"quantity": 1e10}'],
)  # fmt: skip
def test_a_quantity_that_is_none_changes_nothing(seller: RunningShop, monolith: MonolithFile, body: object) -> None:
    item = monolith.add_item()
    put(seller, item, {"quantity": 3})
    assert put(seller, item, body).status == 400
    assert get(seller, item) == shown(3)


def test_rules_come_before_the_item_is_looked_for(seller: RunningShop) -> None:
    assert told(put(seller, UNKNOWN, {"quantity": -1})) == BAD_REQUEST
    for item in (UNKNOWN, "abc"):
        assert told(put(seller, item, {"quantity": 1})) == NOT_FOUND == get(seller, item)


def test_a_withdrawn_item_has_no_quantity_any_more(seller: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    put(seller, item, {"quantity": 3})
    monolith.remove_item(item)
    assert get(seller, item) == NOT_FOUND
    monolith.add_item(item)
    assert get(seller, item) == shown(3)


def test_without_a_broker_there_are_no_quantities(shop: RunningShop, monolith: MonolithFile) -> None:
    answer = put(shop, item := monolith.add_item(), {"quantity": 1})
    assert (answer.status, f"Cannot PUT /item/{item}/quantity".encode() in answer.body) == (404, True)
