"""Purchases, and what they leave behind; tests/parity compares reads and writes of items."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.unit.examples.monolith.client import SECRET, Client, fresh_name

TRIES = 25
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NewItem = Callable[..., str]
SignUp = Callable[..., Client]


def points(user: Client) -> int:
    return int(user.get("/user/@me").data["points"])


def rows(database: sqlite3.Connection, user: Client) -> list[tuple[str, str | None]]:
    query = 'SELECT "Object_id", deleted_at FROM transactions WHERE user_id = ?'
    return database.execute(query, (user.get("/user/@me").data["id"],)).fetchall()


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


@pytest.mark.parametrize(
    ("item", "status"), [("abc", 500), ("%00", 500), (UNKNOWN, 404), (UNKNOWN.replace("-", ""), 404)]
)
def test_an_id_that_postgresql_cannot_read_is_a_500_and_no_404(admin: Client, item: str, status: int) -> None:
    assert admin.post(f"/item/buy/{item}").status == status


def test_two_sign_ups_with_one_name_at_once_are_a_201_and_a_409(anonymous: Client) -> None:
    name = fresh_name()
    bodies = [{"username": name, "password": SECRET, "email": f"{name}{n}@example.org"} for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda body: anonymous.post("/user", body).status, bodies))
    assert statuses == [201, 409]


def test_half_a_point_cannot_be_paid(sign_up: SignUp, new_item: NewItem, database: sqlite3.Connection) -> None:
    user, item = sign_up(10), new_item(1.5)
    assert user.post(f"/item/buy/{item}").status == 500
    assert (points(user), rows(database, user)) == (10, [])


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
