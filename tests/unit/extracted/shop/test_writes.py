"""What the shop's writes answer, asked over a socket, and what they leave in the monolith's collection."""

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import Answer, RunningShop

JSON = {"Content-Type": "application/json"}
ADMIN = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("admin",))
USER = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("guest", "user"))
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WRITES = [("POST", "/item"), ("PATCH", f"/item/{UNKNOWN}"), ("DELETE", f"/item/{UNKNOWN}")]
GOOD = {"cost": 1.5, "type": "validator", "data": {"text": 'é "quoted"'}}

BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')


def write(shop: RunningShop, method: str, target: str, body: object, identity: Identity = ADMIN) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shop.ask(target, identity, method=method, headers=JSON, body=content)


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


@pytest.mark.parametrize(("method", "target"), WRITES)
@pytest.mark.parametrize(
    ("identity", "answer"),
    [
        (NOBODY, (401, b'{"statusCode":401,"message":"Unauthorized"}')),
        (Identity(AuthenticationOutcome.REJECTED), (403, b'{"statusCode":403,"message":"Forbidden"}')),
        (USER, (403, b'{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}')),
    ],
)
def test_writing_is_for_administrators_whatever_the_body(
    shop: RunningShop, method: str, target: str, identity: Identity, answer: tuple[int, bytes]
) -> None:
    assert told(write(shop, method, target, {"nonsense": 1}, identity)) == answer


@pytest.mark.parametrize(("method", "target"), WRITES)
def test_a_body_that_cannot_be_read_is_refused_before_the_guards(shop: RunningShop, method: str, target: str) -> None:
    assert write(shop, method, target, b"{bad", NOBODY).status == 400
    assert write(shop, method, target, b'"' + b"x" * 102_400, NOBODY).status == 413


def test_a_new_item_is_told_with_its_id_and_kept_as_mongoose_keeps_it(
    shop: RunningShop, monolith: MonolithFile
) -> None:
    answer = write(shop, "POST", "/item", GOOD)
    item = json.loads(answer.body)["data"]["id"]
    shown = f'{{"id":"{item}","cost":1.5,"type":"validator","data":{{"text":"é \\"quoted\\""}}}}'
    assert told(answer) == (201, f'{{"metadata":{{}},"data":{shown}}}'.encode())
    document = monolith.item(item)
    assert document is not None
    assert re.fullmatch("[0-9a-f]{24}", document["_id"]["$oid"])
    assert document == {"_id": document["_id"], **GOOD, "id": item, "__v": 0}
    assert shop.ask(f"/item/{item}", ADMIN).body == answer.body


def test_every_new_item_has_an_id_of_its_own(shop: RunningShop) -> None:
    ids = {json.loads(write(shop, "POST", "/item", GOOD).body)["data"]["id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize(
    "fields", [{"cost": 12}, {"type": "validator"}, {"data": {"text": ""}}, {"cost": 0, "type": "hint"}]
)
def test_a_change_sets_what_it_names_and_leaves_the_rest(
    shop: RunningShop, monolith: MonolithFile, fields: dict[str, object]
) -> None:
    item = monolith.add_item(sold=[1, {"by": None}], __v=3)
    before = monolith.item(item) or {}
    answer = write(shop, "PATCH", f"/item/{item}", fields)
    assert (answer.status, monolith.item(item)) == (200, before | fields)
    shown = {"id": item, "cost": 10, "type": "hint", "data": {"text": "a hint"}} | fields
    assert json.loads(answer.body) == {"metadata": {}, "data": shown}


def test_a_change_of_nothing_is_the_item_as_it_is(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    before = monolith.item(item)
    for nothing in (b"{}", b"[]"):
        assert write(shop, "PATCH", f"/item/{item}", nothing).body == shop.ask(f"/item/{item}", ADMIN).body
    assert write(shop, "PATCH", f"/item/{item}", [{}]).status == 400
    assert monolith.item(item) == before


def test_null_passes_where_a_field_may_be_missing(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    answer = write(shop, "PATCH", f"/item/{item}", {"cost": None, "type": None, "data": None})
    assert answer.body == f'{{"metadata":{{}},"data":{{"id":"{item}","cost":null,"type":null,"data":null}}}}'.encode()
    assert shop.ask("/item?limit=100", ADMIN).status == 200
    monolith.remove_item(item)


@pytest.mark.parametrize(
    "fields",
    [{"cost": -1}, {"cost": "5"}, {"cost": True}, {"type": "x"}, {"type": 1}, {"data": {}}, {"data": "x"},
     {"data": {"text": 1}}, {"data": {"text": "x", "more": 1}}, {"id": UNKNOWN}, {"_id": "x"}, {"__v": 1}],
)  # fmt: skip
def test_a_field_that_breaks_a_rule_changes_nothing_and_is_not_explained(
    shop: RunningShop, monolith: MonolithFile, fields: dict[str, object]
) -> None:
    item = monolith.add_item()
    before = monolith.item(item)
    assert told(write(shop, "PATCH", f"/item/{item}", {"cost": 11} | fields)) == BAD_REQUEST
    assert told(write(shop, "POST", "/item", GOOD | fields)) == BAD_REQUEST
    assert monolith.item(item) == before


@pytest.mark.parametrize("missing", GOOD)
def test_a_new_item_needs_all_of_its_fields(shop: RunningShop, missing: str) -> None:
    fields = {name: value for name, value in GOOD.items() if name != missing}
    assert told(write(shop, "POST", "/item", fields)) == BAD_REQUEST
    assert told(write(shop, "POST", "/item", GOOD | {missing: None})) == BAD_REQUEST


def test_rules_come_before_the_item_is_looked_for(shop: RunningShop) -> None:
    assert told(write(shop, "PATCH", f"/item/{UNKNOWN}", {"cost": -1})) == BAD_REQUEST
    assert told(write(shop, "PATCH", f"/item/{UNKNOWN}", {"cost": 1})) == NOT_FOUND


def test_a_deleted_item_is_gone_and_its_purchases_stay(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer = monolith.add_item(), monolith.add_user()
    purchase = monolith.add_purchase(buyer, item)
    answer = shop.ask(f"/item/{item}", ADMIN, method="DELETE")
    assert told(answer) == (200, b'{"metadata":{}}')
    assert monolith.item(item) is None
    assert told(shop.ask(f"/item/{item}", ADMIN, method="DELETE")) == NOT_FOUND
    assert purchase in shop.ask("/transactions?limit=100", ADMIN).body.decode()


def test_200_changes_at_once_are_all_done_and_answered_with_what_they_set(
    shop: RunningShop, monolith: MonolithFile
) -> None:
    item = monolith.add_item(untouched="x")
    changes: list[dict[str, object]] = [
        {"cost": number} if number % 2 else {"data": {"text": str(number)}} for number in range(200)
    ]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda fields: write(shop, "PATCH", f"/item/{item}", fields), changes))
    for fields, answer in zip(changes, answers, strict=True):
        assert answer.status == 200
        assert json.loads(answer.body)["data"] | fields == json.loads(answer.body)["data"]
    left = monolith.item(item)
    assert left is not None
    assert (left["untouched"], left["type"]) == ("x", "hint")
    assert {"cost": left["cost"]} in changes
    assert {"data": left["data"]} in changes
