"""PUT and GET /item/{id}/quantity: new routes, answered in the monolith's own form."""

import json
import uuid

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import Answer, RunningShop

ADMIN = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("admin",))
USER = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("guest", "user"))
JSON = {"Content-Type": "application/json"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
MOST = 2**31 - 1
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')


def put(shop: RunningShop, item: str, body: object, identity: Identity = ADMIN) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shop.ask(f"/item/{item}/quantity", identity, method="PUT", headers=JSON, body=content)


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def shown(quantity: int | None) -> tuple[int, bytes]:
    return 200, json.dumps({"metadata": {}, "data": {"quantity": quantity}}, separators=(",", ":")).encode()


def test_an_item_is_unlimited_until_somebody_sets_a_quantity(seller: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == shown(None)


@pytest.mark.parametrize("quantity", [0, 1, MOST, None])
def test_what_is_set_is_told_by_both_routes(seller: RunningShop, monolith: MonolithFile, quantity: int | None) -> None:
    item = monolith.add_item()
    assert told(put(seller, item, {"quantity": 7})) == shown(7)
    assert told(put(seller, item, {"quantity": quantity})) == shown(quantity)
    assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == shown(quantity)


def test_a_whole_number_may_be_written_as_javascript_writes_it(seller: RunningShop, monolith: MonolithFile) -> None:
    assert told(put(seller, monolith.add_item(), b'{"quantity": 5.0}')) == shown(5)


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
    assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == shown(3)


def test_rules_come_before_the_item_is_looked_for(seller: RunningShop) -> None:
    assert told(put(seller, UNKNOWN, {"quantity": -1})) == BAD_REQUEST
    for item in (UNKNOWN, "abc"):
        assert told(put(seller, item, {"quantity": 1})) == NOT_FOUND
        assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("identity", "answer"),
    [
        (NOBODY, (401, b'{"statusCode":401,"message":"Unauthorized"}')),
        (Identity(AuthenticationOutcome.REJECTED), (403, b'{"statusCode":403,"message":"Forbidden"}')),
        (USER, (403, b'{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}')),
    ],
)
def test_both_are_for_administrators(
    seller: RunningShop, monolith: MonolithFile, method: str, identity: Identity, answer: tuple[int, bytes]
) -> None:
    target, body = f"/item/{monolith.add_item()}/quantity", b'{"quantity": -1}'
    assert told(seller.ask(target, identity, method=method, headers=JSON, body=body)) == answer


def test_a_withdrawn_item_has_no_quantity_any_more(seller: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    put(seller, item, {"quantity": 3})
    monolith.remove_item(item)
    assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == NOT_FOUND
    monolith.add_item(item)
    assert told(seller.ask(f"/item/{item}/quantity", ADMIN)) == shown(3)


def test_without_a_broker_there_are_no_quantities(shop: RunningShop, monolith: MonolithFile) -> None:
    answer = put(shop, item := monolith.add_item(), {"quantity": 1})
    assert (answer.status, f"Cannot PUT /item/{item}/quantity".encode() in answer.body) == (404, True)
