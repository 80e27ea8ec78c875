"""The stand-in monolith answers as the real one did, step by step."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.replay import Replay, Step, load
from tests.contracts.running import running_monolith

RECORDING = Path(__file__).with_name("production.jsonl")
PRODUCTION = {
    "NODE_ENV": "production",
    "AUTH_JWT_ISSUER": "https://api.polycode.do-2021.fr",
    "AUTH_JWT_AUDIENCE": "https://polycode.do-2021.fr",
}

NOT_SERVED_YET = """
GET /user
PATCH /user/{id}
DELETE /user/{id}
GET /user/{id}/teams
GET /user/{id}/email
POST /user/{id}/email
DELETE /user/{id}/email/{id}
POST /user/email/regenerate-token/{id}
GET /user/{id}/settings
PATCH /user/{id}/settings
POST /user/{id}/settings/reset
POST /team
GET /team
GET /team/{id}
PATCH /team/{id}
DELETE /team/{id}
POST /team/{id}/members
DELETE /team/{id}/members
POST /module
GET /module
GET /module/{id}
PATCH /module/{id}
DELETE /module/{id}
POST /content
GET /content
GET /content/{id}
PUT /content/{id}
DELETE /content/{id}
POST /submission
POST /submission/{id}
GET /submission/{id}
""".strip().splitlines()
"""Routes that the stand-in does not have; their steps are left out."""

DIFFERS: dict[str, str] = {}
"""Steps of served routes that are not answered as recorded: name → reason."""

GUEST_TOKEN = "7476b3d0-5a02-428d-bc5e-a8e751226e98"
MAILED_TOKENS = {
    "validate-u1": ("phhhrcgxu1", "217e9620-22e1-4abf-9b99-16b461649618"),
    "validate-u2": ("phhhrcgxu2", "4cbbf018-24d3-423f-8c6f-86fd695b6ff9"),
    "validate-u3": ("phhhrcgxu3", "647fdd90-6ed5-450e-8bb8-0a2e0128045b"),
    "regen-guest": ("phhhrcgxg", GUEST_TOKEN),
}
"""The step before which a token must be known that came by mail: whose it is, and the recorded token."""

EFFECTS = {
    "regen-guest": "UPDATE user_emails SET verification_token = 'another' WHERE email = 'phhhrcgxg@example.org'",
    "submit-ok": "UPDATE user SET points = 100 WHERE username = 'phhhrcgxu1'",
    "user-delete-self": "DELETE FROM user WHERE username = 'phhhrcgxu3'",
    "user-delete-admin": "DELETE FROM user WHERE username = 'phhhrcgxu2'",
}
"""What steps that are left out do to later ones."""


def _pattern(route: str) -> re.Pattern[str]:
    return re.compile(re.escape(route).replace(r"\{id\}", "[^/]+").replace(r"\ ", " ") + "/?", re.IGNORECASE)


LEFT_OUT = [_pattern(route) for route in NOT_SERVED_YET]


def served(step: Step) -> bool:
    method = "GET" if step.method == "HEAD" else step.method
    return not any(pattern.fullmatch(f"{method} {step.target.partition('?')[0]}") for pattern in LEFT_OUT)


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Step → what differs, of the served steps played in order."""
    database = tmp_path_factory.mktemp("monolith") / "monolith.sqlite3"
    with running_monolith(database, environ=PRODUCTION) as monolith:
        replay = Replay(monolith.url)
        steps = load(RECORDING)
        replay.bindings.bind(_recorded_token_of_admin(steps), replay.login("admin", "admin"))
        yield play(replay, steps, database)
        replay.close()


def play(replay: Replay, steps: list[Step], database: Path) -> dict[str, list[str]]:
    found = {}
    with sqlite3.connect(database, timeout=30) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for step in steps:
            _bind_mailed_token(replay, step, connection)
            if served(step):
                found[step.name] = replay.play(step)
            elif step.name in EFFECTS:
                connection.execute(EFFECTS[step.name])
                connection.commit()
    return found


def _bind_mailed_token(replay: Replay, step: Step, connection: sqlite3.Connection) -> None:
    if step.name in MAILED_TOKENS:
        name, recorded = MAILED_TOKENS[step.name]
        query = "SELECT verification_token FROM user_emails WHERE email = ?"
        (own,) = connection.execute(query, (f"{name}@example.org",)).fetchone()
        assert replay.bindings.bind(recorded, own)


def _recorded_token_of_admin(steps: list[Step]) -> str:
    """The recording logs admin in before its first step."""
    authorization = next(step for step in steps if step.name == "item-create").request.header("Authorization")
    assert authorization is not None
    return authorization.split()[1]


def test_every_step_of_a_served_route_is_answered_as_recorded(differences: dict[str, list[str]]) -> None:
    wrong = {name: found for name, found in differences.items() if found and name not in DIFFERS}
    assert wrong == {}
    assert len(differences) == 148


def test_a_step_listed_as_different_does_differ(differences: dict[str, list[str]]) -> None:
    assert [name for name in DIFFERS if not differences[name]] == []
