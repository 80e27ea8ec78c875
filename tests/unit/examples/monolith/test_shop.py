"""Items, purchases, transactions."""

import json
import sqlite3
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.unit.examples.monolith.client import Client

TRIES = 25
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NewItem = Callable[..., str]
SignUp = Callable[..., Client]


def points(user: Client) -> int:
    return int(user.get("/user/@me").data["points"])


def rows(database: sqlite3.Connection, user: Client) -> list[tuple[str, str | None]]:
    query = 'SELECT "Object_id", deleted_at FROM transactions WHERE user_id = ?'
    return database.execute(query, (user.get("/user/@me").data["id"],)).fetchall()


@pytest.mark.parametrize(
    ("query", "pagination"),
    [
        ("", {"page": 1, "limit": 10}),
        ("?page=2&limit=1", {"page": 2, "limit": 1}),
        ("?page=0&limit=0", {"page": 1, "limit": 10}),
        ("?page=x&limit=", {"page": 1, "limit": 10}),
        ("?page=1e3&limit=1.9", {"page": 1, "limit": 1}),
        ("?limit=1&limit=2", {"page": 1, "limit": 1}),
        ("?limit[]=3&page=%202x", {"page": 2, "limit": 3}),
        ("?limit=100", {"page": 1, "limit": 100}),
    ],
)
def test_page_and_limit_are_read_as_javascript_reads_numbers(
    admin: Client, query: str, pagination: dict[str, int]
) -> None:
    assert admin.get(f"/item{query}").json["metadata"]["pagination"] == pagination


@pytest.mark.parametrize("route", ["/item", "/transactions"])
@pytest.mark.parametrize("query", ["page=-1", "limit=-1", "limit=101", f"limit={'9' * 5000}"])
def test_a_page_or_limit_out_of_range_is_refused(admin: Client, route: str, query: str) -> None:
    answer = admin.get(f"{route}?{query}")
    assert (answer.status, answer.json) == (400, {"statusCode": 400, "message": "Bad Request"})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/transactions?page=99999999999999999999", "Internal Server Error"),
        (f"/transactions?page={'9' * 5000}", "Internal Server Error"),
        ("/transactions?page=922337203685477581", "Internal Server Error"),
        ("/item?order-by=cost:sideways", "Internal server error"),
        ("/item?order-by=cost:%20asc", "Internal server error"),
        ("/item?order-by=cost:0", "Internal server error"),
        ("/item?order-by=cost:asc&order-by=cost:desc", "Internal server error"),
        ("/item?page=99999999999999999999", "Internal server error"),
        ("/item?type[a]=hint", "Internal Server Error"),
    ],
)
def test_a_query_that_the_database_refuses_is_a_500_in_its_own_spelling(
    admin: Client, target: str, message: str
) -> None:
    answer = admin.get(target)
    assert (answer.status, answer.json) == (500, {"statusCode": 500, "message": message})


@pytest.mark.parametrize(
    ("order", "keys", "descending"),
    [
        ("cost:asc", {"cost": "asc"}, False),
        ("cost:DESC", {"cost": "DESC"}, True),
        ("cost", {}, False),
        ("cost:1", {"cost": "1"}, False),
        ("cost:-1", {"cost": "-1"}, True),
        ("cost:ascending", {"cost": "ascending"}, False),
        ("cost:Descending", {"cost": "Descending"}, True),
        ("cost:asc,cost:desc", {"cost": "desc"}, True),
        ("type:asc,cost:desc:x", {"cost": "desc"}, True),
    ],
)
def test_items_come_in_the_wished_order(
    admin: Client, new_item: NewItem, order: str, keys: dict[str, str], descending: bool
) -> None:
    for cost in (1_000_003, 1_000_001, 1_000_002.5):
        new_item(cost, "validator")
    answer = admin.get(f"/item?order-by={order}&type=validator&limit=100")
    costs = [item["cost"] for item in answer.data]
    assert costs == sorted(costs, reverse=descending)
    assert answer.json["metadata"]["order-by"] == {"keys": keys}


@pytest.mark.parametrize("order", ["", "order-by=cost:null", "order-by=cost:asc,cost:null", "order-by=type:asc"])
def test_without_an_order_items_come_as_they_were_made(admin: Client, new_item: NewItem, order: str) -> None:
    made = [new_item(cost) for cost in (3, 1, 2)]
    listed = [item["id"] for page in range(1, 20) for item in admin.get(f"/item?limit=100&page={page}&{order}").data]
    assert listed[-3:] == made


def test_a_type_filters_by_equality(admin: Client, new_item: NewItem) -> None:
    hint, validator = new_item(kind="hint"), new_item(kind="validator")
    answer = admin.get("/item?type=validator&limit=100")
    listed = [item["id"] for item in answer.data]
    assert validator in listed
    assert hint not in listed
    assert answer.json["metadata"]["filter"] == {"keys": {"type": {"value": "validator", "matching": False}}}
    assert admin.get("/item?type=").data == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"cost": True, "type": "hint", "data": {"text": ""}},
        {"cost": None, "type": "hint", "data": {"text": ""}},
        {"cost": 1, "type": ["hint"], "data": {"text": ""}},
        {"cost": 1, "type": "hint", "data": None},
        {"cost": 1, "type": "hint", "data": "text"},
        {"cost": 1, "type": "hint", "data": {"text": 1}},
        {"cost": 1, "type": "hint", "data": {"text": "", "extra": 1}},
    ],
)
def test_an_item_of_another_shape_is_refused(admin: Client, body: object) -> None:
    assert admin.post("/item", body).status == 400


def test_a_number_beyond_what_a_double_holds_is_no_cost(admin: Client) -> None:
    body = b'{"cost":1e400,"type":"hint","data":{"text":""}}'
    assert admin.ask("POST", "/item", {"Content-Type": "application/json"}, body).status == 400


@pytest.mark.parametrize(
    ("sent", "told"), [("5.0", "5"), ("1e3", "1000"), ("1e-7", "1e-7"), ("-0", "0"), ("1e21", "1e+21")]
)
def test_a_cost_is_written_as_javascript_writes_numbers(admin: Client, sent: str, told: str) -> None:
    body = f'{{"cost":{sent},"type":"hint","data":{{"text":""}}}}'.encode()
    answer = admin.ask("POST", "/item", {"Content-Type": "application/json"}, body)
    assert f'"cost":{told},'.encode() in answer.content


def test_an_item_is_kept_as_the_document_that_mongodb_would_keep(
    admin: Client, new_item: NewItem, database: sqlite3.Connection
) -> None:
    item = new_item(7, "hint", "é")
    object_id, body = database.execute("SELECT _id, body FROM mongo_items WHERE id = ?", (item,)).fetchone()
    wanted = {"_id": {"$oid": object_id}, "cost": 7, "type": "hint", "data": {"text": "é"}, "id": item, "__v": 0}
    assert json.loads(body) == wanted
    assert len(bytes.fromhex(object_id)) == 12


def test_a_change_leaves_the_other_fields_alone(admin: Client, new_item: NewItem, database: sqlite3.Connection) -> None:
    item = new_item(7)
    database.execute("UPDATE mongo_items SET body = json_set(body, '$.later', 1) WHERE id = ?", (item,))
    assert admin.send("PATCH", f"/item/{item}", {"cost": 8}).data["cost"] == 8
    (body,) = database.execute("SELECT body FROM mongo_items WHERE id = ?", (item,)).fetchone()
    assert json.loads(body) | {"_id": 0} == {
        "_id": 0, "cost": 8, "type": "hint", "data": {"text": "think"}, "id": item, "__v": 0, "later": 1,
    }  # fmt: skip


def test_two_changes_at_once_are_both_kept(admin: Client, new_item: NewItem) -> None:
    target = f"/item/{new_item(0)}"
    for cost in range(1, TRIES):
        changes = [{"cost": cost}, {"data": {"text": str(cost)}}]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda change: admin.send("PATCH", target, change), changes))
        item = admin.get(target).data
        assert (item["cost"], item["data"]) == (cost, {"text": str(cost)})


def test_a_deleted_item_is_gone_though_it_was_bought(
    admin: Client, sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection
) -> None:
    user, item = sign_up(20), new_item(10)
    assert user.post(f"/item/buy/{item}").status == 201
    answer = admin.ask("DELETE", f"/item/{item}")
    assert (answer.status, answer.json) == (200, {"metadata": {}})
    assert user.post(f"/item/buy/{item}").status == 404
    assert rows(database, user) == [(item, None)]


def test_a_guest_buys_once_however_often_it_asks(
    sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection
) -> None:
    user, item = sign_up(25), new_item(10, text="look")
    assert user.get(f"/item/bought/{item}").data["data"] is None
    answers = [user.post(f"/item/buy/{item}") for _ in range(3)]
    assert [(answer.status, answer.data["data"]) for answer in answers] == [(201, {"text": "look"})] * 3
    assert user.get(f"/item/bought/{item}").data["data"] == {"text": "look"}
    assert points(user) == 15
    assert rows(database, user) == [(item, None)]


def test_too_few_points_buy_nothing(sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection) -> None:
    user, item = sign_up(9), new_item(10)
    answer = user.post(f"/item/buy/{item}")
    refusal = {"statusCode": 403, "message": "Not enought points!", "error": "Forbidden"}
    assert (answer.status, answer.json) == (403, refusal)
    assert (points(user), rows(database, user)) == (9, [])


def test_poor_purchases_do_not_wear_the_monolith_out(sign_up: SignUp, new_item: NewItem) -> None:
    user, item = sign_up(0), new_item(1)
    assert {user.post(f"/item/buy/{item}").status for _ in range(60)} == {403}
    assert user.get("/user/@me").status == 200


def test_half_a_point_cannot_be_paid(sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection) -> None:
    user, item = sign_up(10), new_item(1.5)
    assert user.post(f"/item/buy/{item}").status == 500
    assert (points(user), rows(database, user)) == (10, [])


@pytest.mark.parametrize(
    ("method", "target", "statuses"),
    [
        ("GET", "/item/{}", {"abc": 404, UNKNOWN: 404}),
        ("DELETE", "/item/{}", {"abc": 404, UNKNOWN: 404}),
        ("POST", "/item/buy/{}", {"abc": 500, UNKNOWN: 404, UNKNOWN.replace("-", ""): 404, "%00": 500}),
        ("GET", "/item/bought/{}", {"abc": 500, UNKNOWN: 404, f"%7B{UNKNOWN}%7D": 404}),
    ],
)
def test_an_id_is_looked_up_in_postgresql_first_where_purchases_count(
    admin: Client, method: str, target: str, statuses: dict[str, int]
) -> None:
    assert {wanted: admin.ask(method, target.format(wanted)).status for wanted in statuses} == statuses


def test_transactions_count_what_is_not_deleted(
    admin: Client, sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection
) -> None:
    user, item = sign_up(10), new_item(1)
    before = admin.get("/transactions").json["metadata"]["pagination"]["total"]
    user.post(f"/item/buy/{item}")
    answer = admin.get(f"/transactions?limit=1&page={before + 1}")
    (bought,) = answer.data
    assert answer.json["metadata"] == {"count": 1, "pagination": {"page": before + 1, "limit": 1, "total": before + 1}}
    assert bought | {"id": ""} == {"id": "", "userId": user.get("/user/@me").data["id"], "objectId": item}
    database.execute("UPDATE transactions SET deleted_at = created_at WHERE id = ?", (bought["id"],))
    assert admin.get("/transactions").json["metadata"]["pagination"]["total"] == before
    assert user.get(f"/item/bought/{item}").data["data"] is None


def test_a_deleted_user_buys_nothing(sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection) -> None:
    user, item = sign_up(10), new_item(1)
    database.execute("DELETE FROM user WHERE id = ?", (user.get("/user/@me").data["id"],))
    assert user.post(f"/item/buy/{item}").status == 404


def at_once(user: Client, targets: list[str]) -> list[int]:
    barrier = Barrier(len(targets))

    def buy(target: str) -> int:
        barrier.wait()
        return user.post(target).status

    with ThreadPoolExecutor(len(targets)) as pool:
        return list(pool.map(buy, targets))


def test_two_purchases_at_once_may_be_charged_once(sign_up: SignUp, new_item: NewItem) -> None:
    """Fault F1: each writes what it computed before the other wrote."""
    user = sign_up(TRIES * 20)
    for _ in range(TRIES):
        before = points(user)
        assert at_once(user, [f"/item/buy/{new_item(10)}" for _ in range(2)]) == [201, 201]
        if before - points(user) == 10:
            return
    pytest.fail(f"charged twice in {TRIES} of {TRIES} tries")


def test_one_item_bought_twice_at_once_may_have_two_rows(
    sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection
) -> None:
    """Fault F1: nothing keeps the second row out."""
    user = sign_up(TRIES * 20)
    for _ in range(TRIES):
        item = new_item(10)
        assert at_once(user, [f"/item/buy/{item}"] * 2) == [201, 201]
        if [bought for bought, _ in rows(database, user)].count(item) == 2:
            return
    pytest.fail(f"one row in {TRIES} of {TRIES} tries")


def test_a_user_of_each_role_meets_the_guards_of_items(guest: Client, alice: Client, admin: Client) -> None:
    target = f"/item/{uuid.uuid4()}"
    assert [user.get(target).status for user in (guest, alice, admin)] == [403, 403, 404]


def test_what_every_object_of_javascript_has_is_dropped_without_a_word(admin: Client, new_item: NewItem) -> None:
    item = f"/item/{new_item(cost=3)}"
    changes = {"cost": 4, "toString": "a", "__proto__": {"cost": 5}, "data": {"text": "x", "constructor": 1}}
    assert admin.patch(item, changes).status == 200
    shown = admin.get(item).data
    assert (shown["cost"], shown["data"], "toString" in shown) == (4, {"text": "x"}, False)
    assert admin.patch(item, changes | {"other": 1}).status == 400
