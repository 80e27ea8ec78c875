"""The routes for items, over a socket: who may call them, what they answer, what they leave in the collection.

How queries, paths, bodies and header fields are read is compared with the stand-in in tests/parity.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from chassis.auth.claims import NOBODY, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import (
    ADMIN,
    BAD_REQUEST,
    JSON,
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
GOOD = {"cost": 1.5, "type": "validator", "data": {"text": 'é ✓ "quoted"'}}
SHOWN = '{{"metadata":{{}},"data":{{"id":"{}","cost":1.5,"type":"validator","data":{{"text":"é ✓ \\"quoted\\""}}}}}}'
COSTS = (10, 0, 100000, 1.5, 10)


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


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_body_that_cannot_be_read_is_refused_before_the_guards(shop: RunningShop, method: str) -> None:
    for target in ("/item", f"/item/{UNKNOWN}", "/nope", "/item/%zz"):
        assert send(shop, method, target, b"{bad", NOBODY).status == 400
        assert send(shop, method, target, b'"' + b"x" * 102_400, NOBODY).status == 413


@pytest.mark.parametrize("item", [UNKNOWN, "abc", "%00", "a%20b", "x" * 500])
def test_an_unknown_item_is_404_whatever_its_id_looks_like(shop: RunningShop, item: str) -> None:
    assert told(shop.ask(f"/item/{item}", ADMIN)) == NOT_FOUND


def test_a_new_item_is_told_with_its_id_and_kept_as_mongoose_keeps_it(
    shop: RunningShop, monolith: MonolithFile
) -> None:
    answer = send(shop, "POST", "/item", GOOD)
    item = data(answer)["id"]
    assert told(answer) == (201, SHOWN.format(item).encode())
    document = monolith.item(item)
    assert document is not None
    assert re.fullmatch("[0-9a-f]{24}", document["_id"]["$oid"])
    assert document == {"_id": document["_id"], **GOOD, "id": item, "__v": 0}
    assert shop.ask(f"/item/{item}", ADMIN).body == answer.body
    assert data(send(shop, "POST", "/item", GOOD))["id"] != item


@pytest.mark.parametrize(
    "fields", [{"cost": 12}, {"type": "validator"}, {"data": {"text": ""}}, {"cost": 0, "type": "hint"}, {}]
)
def test_a_change_sets_what_it_names_and_leaves_the_rest(
    shop: RunningShop, monolith: MonolithFile, fields: dict[str, object]
) -> None:
    item = monolith.add_item(sold=[1, {"by": None}], __v=3)
    before = monolith.item(item) or {}
    answer = send(shop, "PATCH", f"/item/{item}", fields)
    assert (answer.status, monolith.item(item)) == (200, before | fields)
    assert data(answer) == {"id": item, "cost": 10, "type": "hint", "data": {"text": "a hint"}} | fields


def test_null_passes_where_a_field_may_be_missing(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    empty = {"cost": None, "type": None, "data": None}
    assert data(send(shop, "PATCH", f"/item/{item}", empty)) == {"id": item} | empty
    assert shop.ask("/item?limit=100", ADMIN).status == 200
    monolith.remove_item(item)


@pytest.mark.parametrize(
    "fields",
    [{"cost": -1}, {"cost": "5"}, {"type": "x"}, {"data": {}}, {"data": {"text": 1}},
     {"data": {"text": "x", "more": 1}}, {"id": UNKNOWN}, {"__v": 1}],
)  # fmt: skip
def test_a_field_that_breaks_a_rule_changes_nothing_and_is_not_explained(
    shop: RunningShop, monolith: MonolithFile, fields: dict[str, object]
) -> None:
    item = monolith.add_item()
    before = monolith.item(item)
    assert told(send(shop, "PATCH", f"/item/{item}", {"cost": 11} | fields)) == BAD_REQUEST
    assert told(send(shop, "POST", "/item", GOOD | fields)) == BAD_REQUEST
    assert told(send(shop, "PATCH", f"/item/{UNKNOWN}", fields)) == BAD_REQUEST
    assert monolith.item(item) == before


@pytest.mark.parametrize("missing", GOOD)
def test_a_new_item_needs_all_of_its_fields(shop: RunningShop, missing: str) -> None:
    fields = {name: value for name, value in GOOD.items() if name != missing}
    assert told(send(shop, "POST", "/item", fields)) == BAD_REQUEST
    assert told(send(shop, "POST", "/item", GOOD | {missing: None})) == BAD_REQUEST


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


@pytest.fixture(scope="module")
def kind(monolith: MonolithFile) -> str:
    """A type that only these items have; their costs in the order in which they were added."""
    kind = f"kind-{id(monolith)}"
    for index, cost in enumerate(COSTS):
        monolith.add_item(cost=cost, type=kind, data={"text": str(index)})
    return kind


def listed(shop: RunningShop, query: str) -> tuple[dict[str, object], str]:
    """Metadata, and the texts of the items."""
    answer = shop.ask(f"/item?{query}", ADMIN)
    assert answer.status == 200, (query, answer.body)
    body = json.loads(answer.body)
    return body["metadata"], "".join(item["data"]["text"] for item in body["data"])


def test_metadata_tell_count_page_order_and_filter_in_this_order(shop: RunningShop, kind: str) -> None:
    answer = shop.ask(f"/item?type={kind}&order-by=cost:desc&limit=2&page=2", ADMIN)
    metadata = (
        '{"metadata":{"count":2,"pagination":{"page":2,"limit":2},"order-by":{"keys":{"cost":"desc"}},'
        f'"filter":{{"keys":{{"type":{{"value":"{kind}","matching":false}}}}}}}},"data":['
    )
    assert answer.body.startswith(metadata.encode())


@pytest.mark.parametrize(
    ("order", "keys", "items"),
    [
        ("", {}, "01234"),
        ("cost:asc", {"cost": "asc"}, "13042"),
        ("cost:DESC", {"cost": "DESC"}, "20431"),
        ("cost:-1", {"cost": "-1"}, "20431"),
        ("cost", {}, "13042"),
        ("cost:", {"cost": ""}, "13042"),
        ("cost:desc,cost:null", {}, "01234"),
        ("name:asc,cost:asc,cost:desc:asc,data:desc", {"cost": "desc"}, "20431"),
        ("Cost:desc,", {}, "01234"),
    ],
)
def test_order(shop: RunningShop, kind: str, order: str, keys: dict[str, str], items: str) -> None:
    metadata, found = listed(shop, f"type={kind}&order-by={quote(order)}")
    assert (metadata["order-by"], found) == ({"keys": keys}, items)


@pytest.mark.parametrize(
    ("query", "page", "limit", "items"),
    [
        ("limit=2&page=2", 2, 2, "23"),
        ("limit=2&page=4", 4, 2, ""),
        ("page=abc&limit=0", 1, 10, "01234"),
        ("page=1e3&limit=1.9", 1, 1, "0"),
        (f"limit={'0' * 5000}2", 1, 2, "01"),
        ("limit=%2B2", 1, 2, "01"),
        ("limit[]=2", 1, 2, "01"),
        ("Limit=2&offset=2&name=x&sort=date&__proto__=1&%zz=%zz&=&&[", 1, 10, "01234"),
        ("page=1000000000000", 1000000000000, 10, ""),
    ],
)
def test_paging(shop: RunningShop, kind: str, query: str, page: int, limit: int, items: str) -> None:
    metadata, found = listed(shop, f"type={kind}&{query}")
    assert (metadata["pagination"], metadata["count"], found) == ({"page": page, "limit": limit}, len(items), items)


def test_a_filter_means_equality_and_one_that_came_twice_takes_either(
    shop: RunningShop, kind: str, monolith: MonolithFile
) -> None:
    for value in (kind.upper(), kind[:-1], f"{kind} ", "%25", ".*", ""):
        metadata, found = listed(shop, f"type={quote(value)}")
        assert (metadata["filter"], found) == ({"keys": {"type": {"value": value, "matching": False}}}, "")
    monolith.add_item(type=f"{kind}-2", data={"text": "other"})
    assert listed(shop, f"type={kind}&type={kind}-2&limit=100")[1] == "01234other"


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


def test_the_document_is_served(shop: RunningShop) -> None:
    assert "/item" in json.loads(ask(shop.port, "/openapi.json", "GET", JSON).body)["paths"]
