"""Sign-up, verification, and who may read whom."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.examples.monolith.client import SECRET, Client, fresh_name


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
    ["a", "a@b", "@example.org", "a@", "a b@example.org", "a..b@example.org", "a@-b.org", "a@b_c.org", "a@b..org",
     f"{'a' * 65}@example.org", "a@[127.0.0.1]", "a@b.c", "a@127.0.0.1", "a@example.c1", "a@b.com2",
     "a@b.c-o", '"a\nb"@example.org', '"a\0b"@example.org', "a\u2028b@example.org", "a@example.org\n"],
)  # fmt: skip
def test_an_address_that_is_no_e_mail_is_refused(anonymous: Client, email: str) -> None:
    body = {"username": fresh_name(), "password": SECRET, "email": email}
    assert anonymous.post("/user", body).status == 400


@pytest.mark.parametrize(
    "email",
    ["a.b+c@{}.example.org", "o'hara@{}.example.org", "A_1@{}.example.org", "é@{}.example.org", "a@{}.exämple.org",
     "a@{}.例え.テスト", '"a b"@{}.example.org'],
)  # fmt: skip
def test_an_unusual_e_mail_is_an_e_mail(anonymous: Client, email: str) -> None:
    name = fresh_name()
    body = {"username": name, "password": SECRET, "email": email.format(name)}
    assert anonymous.post("/user", body).status == 201


def test_an_e_mail_is_no_longer_than_its_column(
    anonymous: Client, verified: Callable[..., Client], database: sqlite3.Connection
) -> None:
    name = fresh_name()
    email = f"{name}@{'x.' * 120}org"
    assert anonymous.post("/user", {"username": name, "password": SECRET, "email": email}).status == 500
    assert verified().post("/user/@me/email", {"email": email}).status == 500
    assert database.execute("SELECT count(*) FROM user WHERE username = ?", (name,)).fetchone() == (0,)


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


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("order-by=points:desc,username:asc", 200),
        ("order-by=points:DESC", 200),
        ("order-by=points:DESC%20NULLS%20LAST", 500),
        ("order-by=points:1", 500),
        ("order-by=", 200),
        ("order-by=email:sideways", 200),
        ("order-by=points", 500),
        ("order-by=points:sideways", 500),
        ("order-by=points:asc&order-by=points:desc", 500),
        ("username=a%00b", 200),
        ("page=99999999999999999999", 500),
        ("limit=101", 400),
    ],
)
def test_a_list_of_users_is_ordered_up_or_down(alice: Client, query: str, status: int) -> None:
    assert alice.get(f"/user?{query}").status == status


def test_points_order_users_both_ways(alice: Client, sign_up: Callable[..., Client]) -> None:
    name = fresh_name()
    for number, points in enumerate((5, 30, 12)):
        sign_up(points, f"{name}{number}")
    query = f"/user?username={name}%25&order-by=points"
    assert [user["points"] for user in alice.get(f"{query}:desc").data] == [30, 12, 5]
    upwards = alice.get(f"{query}:ASC")
    assert [user["points"] for user in upwards.data] == [5, 12, 30]
    assert upwards.json["metadata"]["order-by"] == {"keys": {"points": "ASC"}}


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("username={half}", "{half}"),
        ("username[]={half}", ["{half}"]),
        ("username=%25{half}%25", "%{half}%"),
        ("username=_{cut}", "_{cut}"),
    ],
)
def test_a_name_is_searched_with_the_client_s_own_wildcards(
    alice: Client, sign_up: Callable[..., Client], sent: str, value: object
) -> None:
    name = sign_up().get("/user/@me").data["username"]
    half, cut = name[2:].upper(), name[1:]
    answer = alice.get(f"/user?{sent.replace('{half}', half).replace('{cut}', cut)}")
    assert [user["username"] for user in answer.data] == [name]
    assert answer.json["metadata"]["pagination"]["total"] == 1
    echoed = answer.json["metadata"]["filter"]["keys"]["username"]["value"]
    assert str(echoed) == str(value).replace("{half}", half).replace("{cut}", cut)


def test_a_backslash_makes_a_wildcard_plain(alice: Client) -> None:
    assert alice.get("/user?username=%5C%25").data == []


def test_a_nul_that_is_searched_for_is_a_nought(alice: Client, verified: Callable[..., Client]) -> None:
    """Sequelize writes it as a backslash and a 0."""
    user, name = verified(), f"z0{fresh_name()}"[:20]
    user.patch("/user/@me", {"username": name})
    answer = alice.get(f"/user?username=Z%00{name[2:]}")
    assert [found["username"] for found in answer.data] == [name]
    assert answer.json["metadata"]["filter"]["keys"]["username"]["value"] == f"Z\0{name[2:]}"


def test_without_an_order_a_changed_user_comes_last(alice: Client, verified: Callable[..., Client]) -> None:
    """As its row does in PostgreSQL."""
    first, second = verified(), verified()

    def last() -> str:
        total = alice.get("/user?limit=1").json["metadata"]["pagination"]["total"]
        return str(alice.get(f"/user?limit=1&page={total}").data[0]["id"])

    assert last() == second.id
    first.patch("/user/@me", {"description": "new"})
    assert last() == first.id


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ([], 200),
        ([{}], 400),
        ([{"username": "some name"}], 400),
        ({"description": None}, 200),
        ({"description": ""}, 200),
        ({"username": None}, 500),
        ({"username": "alice"}, 500),
        ({"description": "a\0b"}, 500),
        ({"username": "ab"}, 400),
        ({"description": 1}, 400),
        ({"points": 1}, 400),
    ],
)
def test_a_user_changes_its_own_name_and_description(
    verified: Callable[..., Client], changes: dict[str, object] | list[object], status: int
) -> None:
    user = verified()
    before = user.get("/user/@me").data
    assert user.patch("/user/@me", changes).status == status
    after = user.get("/user/@me").data
    assert after == before | (changes if status == 200 and isinstance(changes, dict) else {})


def test_nobody_but_itself_and_admin_changes_a_user(
    verified: Callable[..., Client], guest: Client, admin: Client
) -> None:
    user, other = verified(), verified()
    target = f"/user/{user.id}"
    statuses = [who.patch(target, {"description": "x"}).status for who in (user, admin, other, guest)]
    assert statuses == [200, 200, 403, 403]
    assert [who.delete(target).status for who in (other, guest, user, admin)] == [403, 403, 204, 404]


def test_a_deleted_user_leaves_its_e_mail_and_its_login(
    anonymous: Client, verified: Callable[..., Client], alice: Client
) -> None:
    user = verified()
    name, user_id = user.get("/user/@me").data["username"], user.id
    assert user.delete("/user/@me").status == 204
    assert [alice.get(f"/user/{user_id}").status, user.get("/user/@me").status] == [404, 404]
    assert anonymous.login(f"{name}@example.org", SECRET).get("/user/@me/settings").status == 404
    again = {"username": name, "password": SECRET, "email": f"{name}@example.org"}
    assert anonymous.post("/user", again).status == 409


def test_a_login_whose_e_mail_is_free_again_makes_the_sign_up_a_500(
    anonymous: Client, verified: Callable[..., Client]
) -> None:
    user = verified()
    (email,) = user.get("/user/@me/email").data
    user.delete(f"/user/@me/email/{email['id']}")
    again = {"username": fresh_name(), "password": SECRET, "email": email["email"]}
    answer = anonymous.post("/user", again)
    assert (answer.status, answer.json["message"]) == (500, "Internal Server Error")


def test_a_hundred_changes_of_one_user_at_once_all_arrive(verified: Callable[..., Client]) -> None:
    user = verified()
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda n: user.patch("/user/@me", {"description": str(n)}).status, range(100)))
    assert set(statuses) == {200}
    assert user.get("/user/@me").data["description"] in map(str, range(100))
