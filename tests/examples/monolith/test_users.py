"""Sign-up, verification, and who may read whom."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.examples.monolith.client import SECRET, Client, fresh_name


def verify(client: Client, user: Client, database: sqlite3.Connection) -> int:
    query = "SELECT verification_token FROM user_emails WHERE user_id = ?"
    (token,) = database.execute(query, (user.get("/user/@me").data["id"],)).fetchone()
    return client.post(f"/user/email/validate/{token}").status


def test_a_verified_e_mail_makes_a_user_of_a_guest_without_a_new_token(
    anonymous: Client, sign_up: Callable[..., Client], alice: Client, database: sqlite3.Connection
) -> None:
    user, other = sign_up(), alice.get("/user/@me").data["id"]
    assert user.get(f"/user/{other}").status == 403
    assert verify(anonymous, user, database) == 204
    assert user.get(f"/user/{other}").data["username"] == "alice"


def test_a_verification_token_works_once(
    anonymous: Client, sign_up: Callable[..., Client], database: sqlite3.Connection
) -> None:
    user = sign_up()
    query = "SELECT verification_token FROM user_emails WHERE user_id = ?"
    (token,) = database.execute(query, (user.get("/user/@me").data["id"],)).fetchone()
    statuses = [anonymous.post(f"/user/email/validate/{token}").status for _ in range(2)]
    assert statuses == [204, 404]


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/user/not-a-uuid", 400, "Invalid userId"),
        ("/user/@ME", 400, "Invalid userId"),
        ("/user/00000000-0000-0000-0000-000000000000", 404, "Resource not found"),
    ],
)
def test_a_verified_user_may_ask_for_anybody(alice: Client, target: str, status: int, message: str) -> None:
    answer = alice.get(target)
    assert (answer.status, answer.json["message"]) == (status, message)


def test_a_user_is_found_by_its_id_in_capitals(alice: Client) -> None:
    me = alice.get("/user/@me").data
    assert alice.get(f"/user/{me['id'].upper()}").data == me


def test_a_guest_may_ask_for_itself_alone(guest: Client, alice: Client) -> None:
    mine = guest.get("/user/@me").data["id"]
    targets = [
        f"/user/{mine}",
        f"/user/{mine.upper()}",
        "/user/not-a-uuid",
        f"/user/{alice.get('/user/@me').data['id']}",
    ]
    assert [guest.get(target).status for target in targets] == [200, 403, 403, 403]


def test_a_rank_is_one_more_than_the_users_with_more_points(
    sign_up: Callable[..., Client], database: sqlite3.Connection
) -> None:
    (most,) = database.execute("SELECT max(points) FROM user").fetchone()
    first, second, also_second = sign_up(most + 2), sign_up(most + 1), sign_up(most + 1)
    assert [user.get("/user/@me").data["rank"] for user in (first, second, also_second)] == [1, 2, 2]


@pytest.mark.parametrize(
    "email",
    ["a", "a@b", "@example.org", "a@", "a b@example.org", "a..b@example.org", "a@-b.org", "a@b_c.org", "a@example.1",
     f"{'a' * 65}@example.org", "a@[127.0.0.1]"],
)  # fmt: skip
def test_an_address_that_is_no_e_mail_is_refused(anonymous: Client, email: str) -> None:
    body = {"username": fresh_name(), "password": SECRET, "email": email}
    assert anonymous.post("/user", body).status == 400


@pytest.mark.parametrize("local", ["a.b+c", "é", "o'hara", '"a b"'])
def test_an_unusual_e_mail_is_an_e_mail(anonymous: Client, local: str) -> None:
    name = fresh_name()
    body = {"username": name, "password": SECRET, "email": f"{local}@{name}.example.org"}
    assert anonymous.post("/user", body).status == 201


@pytest.mark.parametrize(("username", "status"), [("ab", 400), ("a" * 21, 400), ("😀" * 3, 201), ("a\0b", 500)])
def test_a_name_has_3_to_20_characters(anonymous: Client, username: str, status: int) -> None:
    body = {"username": username, "password": SECRET, "email": f"{fresh_name()}@example.org"}
    assert anonymous.post("/user", body).status == status


def test_of_two_sign_ups_with_one_name_at_once_one_wins(anonymous: Client) -> None:
    name = fresh_name()
    bodies = [{"username": name, "password": SECRET, "email": f"{name}{n}@example.org"} for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda body: anonymous.post("/user", body).status, bodies))
    assert statuses == [201, 409]


def test_a_refused_sign_up_leaves_nothing(anonymous: Client, database: sqlite3.Connection) -> None:
    name = fresh_name()
    body = {"username": name, "password": SECRET, "email": "alice@example.org"}
    assert anonymous.post("/user", body).status == 409
    assert database.execute("SELECT count(*) FROM user WHERE username = ?", (name,)).fetchone() == (0,)


def test_a_deleted_user_still_logs_in_and_is_not_found(
    anonymous: Client, sign_up: Callable[..., Client], database: sqlite3.Connection
) -> None:
    user = sign_up()
    name = user.get("/user/@me").data["username"]
    database.execute("DELETE FROM user WHERE username = ?", (name,))
    assert anonymous.login(f"{name}@example.org", SECRET).get("/user/@me").status == 404
    again = {"username": fresh_name(), "password": SECRET, "email": f"{name}@example.org"}
    assert anonymous.post("/user", again).status == 409
