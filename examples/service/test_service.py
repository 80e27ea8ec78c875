"""The service as the gateway sees it: a signed token in, the monolith's answer out. Copy it with the service."""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chassis.auth.tokens import TokenVerifier
from examples.service import api
from examples.service.adapter import MonolithBooks
from examples.service.main import build
from examples.service.service import Reading
from examples.service.settings import Settings

AUDIENCE = Settings.model_fields["audience"].default
KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "one"})
OTHER = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "one"})


def get(path: str, headers: Mapping[str, str] | None = None, database: Path | None = None) -> httpx.Response:
    async def answer() -> httpx.Response:
        verifier = TokenVerifier(AUDIENCE, jwks=KeySet([KEY]).as_dict(private=False))
        app = build(verifier, MonolithBooks(database) if database else None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(answer())


def token(key: ECKey = KEY, **claims: object) -> Mapping[str, str]:
    now = int(time.time())
    whole = {
        "iss": "strangler",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "roles": [],
        "outcome": "user",
        "sub": "ada",
    }
    signed = jwt.encode({"alg": "ES256", "kid": "one"}, whole | claims, key, algorithms=["ES256"])
    return {"Authorization": f"Bearer {signed}"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The monolith's table, as the monolith creates and fills it."""
    file = tmp_path / "reading.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE book (reader TEXT, title TEXT)")
        rows = [("ada", "On <Engines>"), ("alan", "Enigma"), ("ada", "Notes")]
        connection.executemany("INSERT INTO book VALUES (?, ?)", rows)
    return file


def test_it_answers_who_the_gateway_says_it_is() -> None:
    answer = get("/whoami", token())
    assert (answer.status_code, answer.json()) == (200, {"user": "ada"})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nonsense"}, token(OTHER), token(aud="another"), token(exp=1), {"X-User": "ada"}],
)
def test_it_believes_nobody_else(headers: Mapping[str, str], database: Path) -> None:
    answer = get("/whoami", headers)
    assert (answer.status_code, answer.json()) == (401, {"user": None})
    shelf = get("/shelf", headers, database)
    assert (shelf.status_code, shelf.headers["location"]) == (303, "/login")


def test_a_shelf_has_the_readers_books_in_their_order(database: Path) -> None:
    answer = get("/shelf", token(), database)
    assert answer.status_code == 200
    assert answer.text.startswith("<h1>ada</h1><ul><li>On &lt;Engines&gt;</li><li>Notes</li></ul>")


def test_without_its_store_it_is_not_ready_and_fails(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.sqlite3"
    assert [get(path, token(), nowhere).status_code for path in ("/health/ready", "/shelf")] == [503, 500]
    assert not nowhere.exists()


def test_its_readiness_lists_what_its_settings_leave_out(database: Path) -> None:
    assert get("/health/ready", database=database).json() == {"status": "ready"}
    [route] = get("/health/ready").json()["unserved"]
    assert (route["method"], route["path"]) == ("GET", "/shelf")
    assert get("/health/live").status_code == 200


def test_the_description_and_the_routes_are_the_same() -> None:
    described = get("/openapi.json").json()["paths"]
    verifier = TokenVerifier(AUDIENCE, jwks=KeySet([KEY]).as_dict(private=False))
    served = {route.path for route in api.routes(verifier, Reading(MonolithBooks(Path())))}
    assert set(described) == served
