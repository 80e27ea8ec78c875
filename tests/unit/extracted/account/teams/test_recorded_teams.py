"""What the real monolith answered to whoever read or changed teams, and the mails that it sent: Account does the same.

The conversation makes its own teams here; users are there from the start, with the recorded ids.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from tests.parity.teaming import as_sent
from tests.parity.twins import asked_for, roles_of
from tests.recordings.replay import Message, Replay, Step, load
from tests.support.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.running import Gateway, RunningService, running_service

CONTRACTS = Path(__file__).parents[4] / "recordings"
RECORDING = CONTRACTS / "production.jsonl"
STEPS = load(RECORDING)
ACTORS = {line["step"]: line["actor"] for line in map(json.loads, RECORDING.read_text().splitlines()[1:])}
ABOUT_TEAMS = re.compile(r"/team\b.*|/user/[^/]+/teams")
PLAYED = [step for step in STEPS if ABOUT_TEAMS.fullmatch(step.target.partition("?")[0])]
NAMES = {"g": "phhhrcgxg", "u1": "phhhrcgxu1", "u2": "phhhrcgxu2", "u3": "phhhrcgxu3", "admin": "admin"}
ROLES = {"g": ("guest",), "admin": ("admin",)}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PER_CONNECTION = frozenset({"date", "connection", "keep-alive"})


class Conversation:
    """Played once, in order."""

    def __init__(self, file: MonolithData, account: RunningService) -> None:
        self.file = file
        self.account = account
        self.replay = Replay(f"http://127.0.0.1:{account.port}", unheard=PER_CONNECTION)
        users = json.loads(next(step.response.body for step in STEPS if step.name == "users-all"))["data"]
        self.users = {user["username"]: user["id"] for user in users}
        for user in users:
            actor = next((actor for actor, name in NAMES.items() if name == user["username"]), "nobody in particular")
            file.add_user(*ROLES.get(actor, ("guest", "user")), user_id=user.pop("id"), **user)
            file.add_email(self.users[user["username"]], f"{user['username']}@example.org")
        for actor in ("u1", "u2"):  # changed before there were teams: PostgreSQL gives them last since then
            file.change(tables.users, self.users[NAMES[actor]], points=0)
        self.between: Mapping[str, Callable[[], None]] = {"team-after-member-deleted": self.points_and_a_user_go}

    def play(self, step: Step) -> list[str]:
        """What differs from the recording, in words."""
        self.between.get(step.name, lambda: None)()
        headers = {name: value for name, value in step.request.headers if name != "Authorization"}
        answer = self.account.ask(
            self._own(step.target),
            self._identity(step),
            method=step.method,
            headers=headers,
            body=self._own(step.request.body).encode() or None,
        )
        received = Message(tuple(answer.headers.items()), answer.body.decode(), answer.status)
        return self.replay.differences(step, received)

    def points_and_a_user_go(self) -> None:
        """By steps that are not played here."""
        self.file.add_points(self.users[NAMES["u1"]], 88)
        self.file.delete_user(self.users[NAMES["u2"]])

    def _identity(self, step: Step) -> Identity:
        actor = ACTORS[step.name]
        if actor == "anon":
            return Identity(AuthenticationOutcome.REJECTED) if step.request.header("Authorization") else NOBODY
        user = self.users[NAMES[actor]]
        return Identity(AuthenticationOutcome.USER, user, tuple(roles_of(self.file, user)))

    def _own(self, text: str) -> str:
        return UUID.sub(lambda found: self.replay.bindings.own(found[0]), text)


@pytest.fixture(scope="module", params=EVERYWHERE)
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[tuple[MonolithData, Mapping[str, list[str]]]]:
    """The database afterwards, and what differed, by the names of steps."""
    folder = tmp_path_factory.mktemp("recorded-teams")
    file = MonolithData(request.param(folder))
    asyncio.run(migrations.upgrade(file.url, "account", MIGRATIONS))
    with running_service("account", file.url, gateway, BROKER_URL=f"sqlite:///{folder / 'broker.sqlite3'}") as account:
        conversation = Conversation(file, account)
        yield file, {step.name: conversation.play(step) for step in PLAYED}
    file.close()


@pytest.mark.parametrize("step", PLAYED, ids=lambda step: step.name)
def test_a_recorded_step(played: tuple[MonolithData, Mapping[str, list[str]]], step: Step) -> None:
    assert played[1][step.name] == []


def test_the_mails_of_the_conversation_are_asked_for(played: tuple[MonolithData, Mapping[str, list[str]]]) -> None:
    recorded = [json.loads(line) for line in (CONTRACTS / "mails.jsonl").read_text().splitlines()]
    sent = [
        (
            mail["headers"]["Subject"],
            mail["rcpt_tos"][0],
            next(line for line in mail["visible_lines"] if "team" in line),
        )
        for mail in recorded
        if "team" in mail["headers"]["Subject"]
    ]
    assert sent == [as_sent(mail) for mail in asked_for(played[0])]
    assert len(sent) == 5


def test_the_conversation_changes_teams_in_every_way() -> None:
    done = {(step.method, UUID.sub("{id}", step.target), step.response.status) for step in PLAYED}
    assert {
        ("POST", "/team", 201),
        ("PATCH", "/team/{id}", 200),
        ("DELETE", "/team/{id}", 204),
        ("POST", "/team/{id}/members", 201),
        ("DELETE", "/team/{id}/members", 200),
    } <= done
    assert len(PLAYED) > 60
