"""Account answers what the real monolith answered, to the byte, step by step, wherever it serves what was asked for.

Where the conversation changes what Account does not serve (teams, points), the rows are written as it went on.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from examples.monolith.storage import tables
from tests.recordings.replay import Step, load
from tests.support.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.running import Answer, Gateway, RunningService, running_service

RECORDING = Path(__file__).parents[3] / "recordings" / "production.jsonl"
STEPS = load(RECORDING)
ACTORS = {line["step"]: line["actor"] for line in map(json.loads, RECORDING.read_text().splitlines()[1:])}
SERVED = re.compile(r"/user(/[^/]+(/teams|/settings(/reset)?)?)?/?|/team(/[^/]+)?")
BY_OTHERS = re.compile(r"POST /user/?|(POST|PATCH|DELETE) /team.*")
"""Sign-up, and writes of teams."""
U1, U2, U3 = "cc398a7c", "0a9ca91c", "1b202af6"
"""How their ids begin."""
TEAM, SECOND, THIRD = (
    "18091f0e-27ba-4a3a-b5a8-db560a593c1b",
    "28d3ebaa-7f03-4c25-99d0-46b7ef913aba",
    "e1ce09cc-ce98-4ceb-996c-82b81f5520ee",
)
PER_CONNECTION = {"date", "connection", "keep-alive"}


def served(step: Step) -> bool:
    path = step.target.partition("?")[0]
    about_tokens = step.name.startswith("authheader")  # the gateway's part
    return bool(SERVED.fullmatch(path)) and not BY_OTHERS.fullmatch(f"{step.method} {path}") and not about_tokens


PLAYED = [step for step in STEPS if served(step)]


class Past:
    """The database as it was at each step."""

    def __init__(self, file: MonolithData) -> None:
        self.file = file
        for user in recorded("users-all"):
            file.add_user(user_id=user.pop("id"), **user)
        self.users = {row["id"][:8]: row["id"] for row in file.rows(tables.users)}
        for start in (U1, U2, U3):
            file.add_settings(self.users[start])
        self.before: Mapping[str, Callable[[], None]] = {
            "team-get": self.teams_are_made,
            "team-get-three": self.a_team_grows,
            "team-get-deleted": self.teams_go,
            "me-points-100": lambda: file.add_points(self.users[U1], 100),
            "me-points-88": lambda: file.add_points(self.users[U1], -12),
        }

    def identity(self, step: Step) -> Identity:
        roles = {"g": ("guest",), "u1": ("guest", "user"), "u2": ("guest", "user"), "u3": ("guest", "user")}
        subjects = {"g": "e44adca0", "u1": U1, "u2": U2, "u3": U3, "admin": "4c75e3f0"}
        actor = ACTORS[step.name]
        if actor == "anon":
            return Identity(AuthenticationOutcome.REJECTED) if step.request.header("Authorization") else NOBODY
        return Identity(AuthenticationOutcome.USER, self.users[subjects[actor]], roles.get(actor, ("admin",)))

    def teams_are_made(self) -> None:
        for team in recorded("teams-all"):
            (captain,) = team.pop("members")
            self.file.add_team(team.pop("name"), captain["id"], **team)

    def a_team_grows(self) -> None:
        self.file.change(tables.teams, TEAM, description="second")
        for user in (U2, U3):
            self.file.add_member(TEAM, self.users[user])

    def teams_go(self) -> None:
        for team in (SECOND, THIRD):
            self.file.delete(tables.teams, team)


def recorded(name: str) -> list[dict[str, Any]]:
    return list(json.loads(next(step.response.body for step in STEPS if step.name == name))["data"])


@pytest.fixture(scope="module", params=EVERYWHERE)
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[dict[str, Answer]]:
    """Of every step, asked in order."""
    past = Past(MonolithData(request.param(tmp_path_factory.mktemp("recorded"))))
    with running_service("account", past.file.url, gateway) as account:
        yield {step.name: play(account, past, step) for step in PLAYED}
    past.file.close()


def play(account: RunningService, past: Past, step: Step) -> Answer:
    past.before.get(step.name, lambda: None)()
    headers = {name: value for name, value in step.request.headers if name != "Authorization"}
    body = step.request.body.encode() or None
    return account.ask(step.target, past.identity(step), method=step.method, headers=headers, body=body)


@pytest.mark.parametrize("step", PLAYED, ids=lambda step: step.name)
def test_a_recorded_step(answers: dict[str, Answer], step: Step) -> None:
    answer, wanted = answers[step.name], {name.lower(): value for name, value in step.response.headers}
    assert (answer.status, answer.body.decode()) == (step.response.status, step.response.body)
    assert _lasting(answer.headers) == _lasting(wanted)


def test_the_conversation_asks_for_every_route_of_account() -> None:
    asked = {
        (step.method, re.sub(r"(?<=/(?:user|team)/)[^/]+", "{id}", step.target.partition("?")[0])) for step in PLAYED
    }
    assert asked >= {
        ("GET", "/user"),
        ("GET", "/user/{id}"),
        ("PATCH", "/user/{id}"),
        ("DELETE", "/user/{id}"),
        ("GET", "/user/{id}/teams"),
        ("GET", "/user/{id}/settings"),
        ("PATCH", "/user/{id}/settings"),
        ("POST", "/user/{id}/settings/reset"),
        ("GET", "/team"),
        ("GET", "/team/{id}"),
    }
    assert len(PLAYED) > 90


def _lasting(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in PER_CONNECTION}
