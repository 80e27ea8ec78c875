"""The routes for items, over a socket: who may call them, what they answer, what they leave in the collection.

How queries, paths, bodies and header fields are read is compared with the stand-in in tests/parity; the recordings play
what the real monolith answered.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.auth.claims import NOBODY, Identity
from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import (
    ADMIN,
    BAD_REQUEST,
    NOT_FOUND,
    REJECTED,
    STORE_FAILED,
    UNEXPECTED,
    UNKNOWN,
    RunningShop,
    ask,
    data,
    send,
    told,
    user,
)  # fmt: skip

FOR_ADMINISTRATORS = [
    "GET /item?limit=101",
    f"GET /item/{UNKNOWN}",
    "POST /item",
    f"PATCH /item/{UNKNOWN}",
    f"DELETE /item/{UNKNOWN}",
    "GET /transactions?limit=101",
    f"GET /item/{UNKNOWN}/quantity",
    f"PUT /item/{UNKNOWN}/quantity",
]
UNAUTHORIZED = (401, b'{"statusCode":401,"message":"Unauthorized"}')
FORBIDDEN = (403, b'{"statusCode":403,"message":"Forbidden"}')
FORBIDDEN_RESOURCE = (403, b'{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}')


@pytest.mark.parametrize("route", FOR_ADMINISTRATORS)
@pytest.mark.parametrize(
    ("identity", "answer"),
    [(NOBODY, UNAUTHORIZED), (REJECTED, FORBIDDEN), (user("guest", "user"), FORBIDDEN_RESOURCE)],
)
def test_guards_come_before_rules_and_items(
    seller: RunningShop, route: str, identity: Identity, answer: tuple[int, bytes]
) -> None:
    method, target = route.split()
    assert told(send(seller, method, target, {"nonsense": 1}, identity)) == answer


def test_a_token_for_another_service_or_none_names_nobody(shop: RunningShop) -> None:
    for headers in ({}, shop.gateway.authorization(ADMIN, audience="account")):
        assert told(ask(shop.port, "/item", "GET", headers)) == UNAUTHORIZED


def test_null_passes_where_a_field_may_be_missing(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    empty = {"cost": None, "type": None, "data": None}
    assert data(send(shop, "PATCH", f"/item/{item}", empty)) == {"id": item} | empty
    assert shop.ask("/item?limit=100", ADMIN).status == 200
    monolith.remove_item(item)


def test_a_deleted_item_is_gone_and_its_purchases_stay(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer = monolith.add_item(), monolith.add_user()
    purchase = monolith.add_purchase(buyer, item)
    assert told(shop.ask(f"/item/{item}", ADMIN, method="DELETE")) == (200, b'{"metadata":{}}')
    assert monolith.item(item) is None
    assert told(shop.ask(f"/item/{item}", ADMIN, method="DELETE")) == NOT_FOUND
    assert told(send(shop, "PATCH", f"/item/{item}", {"cost": 1})) == NOT_FOUND
    assert purchase in shop.ask("/transactions?limit=100", ADMIN).body.decode()


def test_200_changes_at_once_are_all_done_and_answered_with_what_they_set(
    shop: RunningShop, monolith: MonolithFile
) -> None:
    item = monolith.add_item(untouched="x")
    changes: list[dict[str, object]] = [
        {"cost": number} if number % 2 else {"data": {"text": str(number)}} for number in range(200)
    ]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda fields: data(send(shop, "PATCH", f"/item/{item}", fields)), changes))
    assert [answer | fields for fields, answer in zip(changes, answers, strict=True)] == answers
    left = monolith.item(item)
    assert left is not None
    assert (left["untouched"], left["type"]) == ("x", "hint")
    assert {"cost": left["cost"]} in changes
    assert {"data": left["data"]} in changes


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        *((page, BAD_REQUEST) for page in ("page=-1", "limit=101", "page=1&limit=-1", f"limit={'9' * 5000}")),
        *((f"order-by={order}", UNEXPECTED) for order in ("cost:sideways", "cost:0", "x&order-by=y")),
        *((f"page={page}", UNEXPECTED) for page in (10**20, "9" * 5000)),
        ("order-by[]=cost", UNEXPECTED),
        ("type[a]=hint", STORE_FAILED),
    ],
)
def test_a_query_that_the_monolith_refuses_or_trips_over(
    shop: RunningShop, query: str, answer: tuple[int, bytes]
) -> None:
    assert told(shop.ask(f"/item?{query}", ADMIN)) == answer
    assert "unexpected_error" not in {line["event"] for line in shop.logged()}


def test_a_number_of_many_digits_is_read_as_javascript_reads_it(shop: RunningShop) -> None:
    assert b'"pagination":{"page":1,"limit":2}' in shop.ask(f"/item?limit={'0' * 5000}2", ADMIN).body
