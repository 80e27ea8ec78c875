"""Tokens: valid for three days by their row, for eight years by their own claim."""

import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.recordings.running import RunningMonolith
from tests.unit.examples.monolith.client import SECRET, Client, fresh_name

FORBIDDEN = {"statusCode": 403, "message": "Forbidden"}


def claims(token: str) -> dict[str, object]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_a_token_says_whose_it_is_and_lives_eight_years_by_its_own_word(alice: Client) -> None:
    assert alice.token is not None
    told = claims(alice.token)
    me = alice.get("/user/@me").data
    assert told["internalIdentifier"] == me["id"]
    assert (told["subjectType"], told["type"]) == ("user", "access_token")
    assert (told["iss"], told["aud"]) == ("https://auth.app", "https://api.app")
    assert int(str(told["exp"])) - int(str(told["iat"])) == 3 * 24 * 3600 * 1000


def test_a_token_expires_after_three_days_by_its_row(alice: Client, database: sqlite3.Connection) -> None:
    query = "SELECT token_expire_at, type, grant_with FROM auth_oauth2_token WHERE hashed_token = ?"
    expires_at, kind, grant = database.execute(query, (digest(str(alice.token)),)).fetchone()
    left = datetime.fromisoformat(expires_at).replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < left < timedelta(days=3)
    assert (kind, grant) == ("access_token", "implicit")


def test_an_identity_with_a_nul_is_nobody_s(anonymous: Client) -> None:
    for identity in ("a\0", "alice@example.org\0"):
        answer = anonymous.post("/auth/token", {"grantType": "implicit", "identity": identity, "secret": "x"})
        assert (answer.status, answer.json["message"]) == (401, "Invalid subject: subject not found")


@pytest.mark.parametrize(
    "fate",
    [
        "UPDATE auth_oauth2_token SET token_expire_at = '2020-01-01 00:00:00.000000' WHERE hashed_token = ?",
        "DELETE FROM auth_oauth2_token WHERE hashed_token = ?",
    ],
)
def test_a_token_without_a_live_row_is_forbidden(
    sign_up: Callable[..., Client], database: sqlite3.Connection, fate: str
) -> None:
    user = sign_up()
    assert user.get("/user/@me").status == 200
    database.execute(fate, (digest(str(user.token)),))
    answer = user.get("/user/@me")
    assert (answer.status, answer.json) == (403, FORBIDDEN)


@pytest.mark.parametrize(
    ("secret", "changes"),
    [("another secret", {}), (None, {"iss": "https://other.app"}), (None, {"aud": "https://other.app"})],
)
def test_a_row_does_not_help_a_token_of_another_maker(
    monolith: RunningMonolith,
    alice: Client,
    database: sqlite3.Connection,
    secret: str | None,
    changes: dict[str, str],
) -> None:
    key = secret or monolith.database.with_name(f"{monolith.database.name}.secret").read_text().strip()
    token = signed(claims(str(alice.token)) | changes, key)
    database.execute(
        "INSERT INTO auth_oauth2_token SELECT ?, ?, token_expire_at, type, grant_with, requested_client_id,"
        " subject_id, created_at, updated_at FROM auth_oauth2_token WHERE hashed_token = ?",
        (fresh_name(), digest(token), digest(str(alice.token))),
    )
    assert Client(alice.host, alice.port, token).get("/user/@me").status == 403


def signed(told: dict[str, object], key: str) -> str:
    head, payload = (_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, told))
    signature = hmac.digest(key.encode(), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{_base64(signature)}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer a b", "Bearer  a", "token"])
def test_an_authorization_of_other_than_two_parts_is_401(anonymous: Client, authorization: str) -> None:
    answer = anonymous.ask("GET", "/user/@me", {"Authorization": authorization})
    assert (answer.status, answer.json) == (401, {"statusCode": 401, "message": "Unauthorized"})


def test_every_login_adds_a_row(
    anonymous: Client, sign_up: Callable[..., Client], database: sqlite3.Connection
) -> None:
    user = sign_up()
    email = f"{user.get('/user/@me').data['username']}@example.org"
    query = "SELECT count(*) FROM auth_oauth2_token t JOIN auth_subject_credentials c USING (subject_id)"
    assert anonymous.login(email, SECRET).get("/user/@me").status == 200
    assert database.execute(f"{query} WHERE identity = ?", (email,)).fetchone() == (2,)


def test_72_bytes_of_a_password_count(anonymous: Client) -> None:
    name, password = fresh_name(), "é" * 40
    body = {"username": name, "password": password, "email": f"{name}@example.org"}
    assert anonymous.post("/user", body).status == 201
    assert anonymous.login(f"{name}@example.org", "é" * 36).token
    wrong = {"grantType": "implicit", "identity": f"{name}@example.org", "secret": "é" * 35}
    assert anonymous.post("/auth/token", wrong).json["message"] == "Invalid subject: secret is invalid"
