"""E-mails and settings of a user."""

import sqlite3
from collections.abc import Callable

import pytest

from tests.unit.examples.monolith.client import Client, fresh_name

NewUser = Callable[..., Client]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def added(user: Client) -> str:
    answer = user.post("/user/@me/email", {"email": f"{fresh_name()}@example.org"})
    assert answer.status == 201, answer.content
    return str(answer.data["id"])


def test_an_added_e_mail_is_not_verified(verified: NewUser) -> None:
    user = verified()
    email_id = added(user)
    answer = user.get("/user/@me/email")
    assert answer.json["metadata"] == {"count": 2}
    assert [email["isVerified"] for email in answer.data] == [True, False]
    assert list(answer.data[1]) == ["id", "email", "isVerified"]
    assert answer.data[1]["id"] == email_id


def test_a_taken_e_mail_is_a_conflict_whosever_it_is(verified: NewUser, alice: Client) -> None:
    assert verified().post("/user/@me/email", {"email": "alice@example.org"}).status == 409
    assert alice.post("/user/@me/email", {"email": "Alice@example.org"}).status == 201


def test_anybody_s_e_mail_is_deleted_and_answered_with_a_500(verified: NewUser, database: sqlite3.Connection) -> None:
    email_id = added(verified())
    answer = verified().delete(f"/user/@me/email/{email_id}")
    assert (answer.status, answer.json) == (500, {"statusCode": 500, "message": "Internal server error"})
    assert database.execute("SELECT count(*) FROM user_emails WHERE id = ?", (email_id,)).fetchone() == (0,)


@pytest.mark.parametrize(("email_id", "status"), [(UNKNOWN, 404), ("abc", 500)])
def test_no_e_mail_is_deleted_where_there_is_none(admin: Client, email_id: str, status: int) -> None:
    assert admin.delete(f"/user/whoever/email/{email_id}").status == status


def test_a_new_token_replaces_the_old_one(anonymous: Client, verified: NewUser, database: sqlite3.Connection) -> None:
    email_id = added(verified())
    query = "SELECT verification_token FROM user_emails WHERE id = ?"
    (old,) = database.execute(query, (email_id,)).fetchone()
    assert anonymous.post(f"/user/email/regenerate-token/{email_id}").status == 204
    (new,) = database.execute(query, (email_id,)).fetchone()
    statuses = [anonymous.post(f"/user/email/validate/{token}").status for token in (old, new)]
    assert statuses == [404, 204]
    answer = anonymous.post(f"/user/email/regenerate-token/{email_id}")
    assert (answer.status, answer.json["message"]) == (409, "Email was already verified.")


def test_a_nul_is_no_token(anonymous: Client) -> None:
    assert [anonymous.post(f"/user/email/validate/{token}").status for token in ("%00", "a%00b")] == [404, 404]


def test_an_e_mail_without_its_user_still_gets_a_token(
    anonymous: Client, verified: NewUser, database: sqlite3.Connection
) -> None:
    user = verified()
    email_id = added(user)
    user.delete("/user/@me")
    assert anonymous.post(f"/user/email/regenerate-token/{email_id}").status == 204
    (token,) = database.execute("SELECT verification_token FROM user_emails WHERE id = ?", (email_id,)).fetchone()
    assert anonymous.post(f"/user/email/validate/{token}").status == 404
    assert user.get("/user/@me/email").data == []


def test_a_user_that_does_not_exist_has_no_e_mails_but_gets_none_either(admin: Client) -> None:
    assert admin.get(f"/user/{UNKNOWN}/email").data == []
    assert admin.post(f"/user/{UNKNOWN}/email", {"email": f"{fresh_name()}@example.org"}).status == 404


def test_a_bad_id_is_refused_before_a_bad_body(admin: Client) -> None:
    for method, target in (("POST", "/user/abc/email"), ("PATCH", "/user/abc"), ("PATCH", "/user/abc/settings")):
        answer = admin.send(method, target, {"no": "such field"})
        assert (answer.status, answer.json["message"]) == (400, "Invalid userId")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ([], 200),
        ([{}], 400),
        ({"preferredEditingLanguage": "cobol"}, 200),
        ({"preferredEditingLanguage": None, "preferredLanguage": None}, 200),
        ({"preferredEditingLanguage": "x" * 255}, 200),
        ({"preferredEditingLanguage": "x" * 256}, 500),
        ({"preferredEditingLanguage": "a\0b"}, 500),
        ({"preferredEditingLanguage": 1}, 400),
        ({"preferredLanguage": "de"}, 400),
        ({"theme": "dark"}, 400),
    ],
)
def test_settings_change_within_their_columns(
    verified: NewUser, changes: dict[str, object] | list[object], status: int
) -> None:
    user = verified()
    before = user.get("/user/@me/settings").data
    assert before == {"preferredEditingLanguage": "javascript", "preferredLanguage": "en"}
    assert user.patch("/user/@me/settings", changes).status == status
    assert user.get("/user/@me/settings").data == before | (
        changes if status == 200 and isinstance(changes, dict) else {}
    )


def test_settings_are_never_reset(verified: NewUser, guest: Client) -> None:
    assert verified().post("/user/@me/settings/reset").status == 404
    assert guest.get("/user/@me/settings").status == 200
    assert guest.post("/user/@me/settings/reset").status == 403
