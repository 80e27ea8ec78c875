"""Where the monolith is known to be wrong: `strict` keeps it, `improved` answers what was promised (README.md)."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from tests.parity.account.twins import asked_for
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.account.mails import JSON, at_once
from tests.unit.extracted.running import Answer, Gateway, RunningService, running_service

UNKNOWN = "00000000-0000-4000-8000-000000000000"
Told = tuple[int, bytes]
FAILED = (500, b'{"statusCode":500,"message":"Internal Server Error"}')
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')
CONFLICT = (409, b'{"statusCode":409,"message":"Resource already exists","error":"Conflict"}')


@dataclass(frozen=True)
class Sides:
    """Both with a broker, on one database. `user` has settings, `admin` is captain of the team `team`."""

    strict: RunningService
    improved: RunningService
    monolith: MonolithData
    user: Identity
    admin: Identity
    team: str


def identity(user_id: str, *roles: str) -> Identity:
    return Identity(AuthenticationOutcome.USER, user_id, roles)


@pytest.fixture(scope="module")
def sides(monolith: MonolithData, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    asyncio.run(migrations.upgrade(monolith.url, "account", MIGRATIONS))
    broker_url = f"sqlite:///{tmp_path_factory.mktemp('broker') / 'broker.sqlite3'}"
    start = partial(running_service, "account", monolith.url, gateway, BROKER_URL=broker_url)
    monolith.add_user(username="taken")
    user, admin = monolith.add_user("guest", "user"), monolith.add_user("admin")
    monolith.add_settings(user, "cobol", "fr")
    monolith.add_team("taken", admin)
    team = monolith.add_team(new_name(), admin)
    with start() as strict, start(COMPAT="improved") as improved:
        yield Sides(strict, improved, monolith, identity(user, "guest", "user"), identity(admin, "admin", "user"), team)


def new_name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def sent(service: RunningService, who: Identity, method: str, target: str, body: object = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    return service.ask(target, who, method=method, headers=JSON if content else {}, body=content)


def told(answer: Answer) -> Told:
    return answer.status, answer.body


FAULTS: dict[str, tuple[Told, str, str, object]] = {
    "a taken name": (CONFLICT, "PATCH", "/user/@me", {"username": "taken"}),
    "a taken name beside a text": (CONFLICT, "PATCH", "/user/@me", {"username": "taken", "description": "lost"}),
    "a name of null": (BAD_REQUEST, "PATCH", "/user/@me", {"username": None}),
    "NUL in a text": (BAD_REQUEST, "PATCH", "/user/@me", {"description": "a\0b"}),
    "a language too long for its column": (
        BAD_REQUEST, "PATCH", "/user/@me/settings", {"preferredEditingLanguage": "x" * 256},
    ),
    "an order without direction": (BAD_REQUEST, "GET", "/user?order-by=points", None),
    "an order of an unknown direction": (BAD_REQUEST, "GET", "/team?order-by=name:sideways", None),
    "a page too far": (BAD_REQUEST, "GET", "/team?page=99999999999999999999", None),
    "a taken name of a team": (CONFLICT, "PATCH", "/team/{team}", {"name": "taken"}),
    "a taken name of a team beside a text": (CONFLICT, "PATCH", "/team/{team}", {"name": "taken", "description": "x"}),
    "a team's name of null": (BAD_REQUEST, "PATCH", "/team/{team}", {"name": None}),
    "NUL in a team's text": (BAD_REQUEST, "PATCH", "/team/{team}", {"description": "a\0b"}),
    "a team's id that is none": (NOT_FOUND, "GET", "/team/abc", None),
    "a change of a team's id that is none": (NOT_FOUND, "PATCH", "/team/abc", {}),
    "a deletion of a team's id that is none": (NOT_FOUND, "DELETE", "/team/abc", None),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_known_fault(sides: Sides, name: str) -> None:
    improved, method, target, body = FAULTS[name]
    target = target.format(team=sides.team)
    who = sides.user if target.startswith("/user") or method == "GET" else sides.admin
    guest = identity(str(uuid.uuid4()), "guest")
    before = [sides.monolith.rows(table) for table in (tables.users, tables.user_settings, tables.teams)]
    assert told(sent(sides.strict, who, method, target, body)) == FAILED
    assert told(sent(sides.improved, who, method, target, body)) == improved
    assert [sides.monolith.rows(table) for table in (tables.users, tables.user_settings, tables.teams)] == before
    for service in (sides.strict, sides.improved):  # whom the guards refuse learns of no fault
        assert sent(service, guest, method, target, body).status == 403


def test_a_reset_of_settings_never_finds_them_or_makes_them_those_of_a_new_user(sides: Sides) -> None:
    mine = b'{"metadata":{},"data":{"preferredEditingLanguage":"cobol","preferredLanguage":"fr"}}'
    fresh = b'{"metadata":{},"data":{"preferredEditingLanguage":"javascript","preferredLanguage":"en"}}'
    target = "/user/@me/settings"
    assert told(sent(sides.strict, sides.user, "POST", f"{target}/reset")) == NOT_FOUND
    assert told(sent(sides.strict, sides.user, "GET", target)) == (200, mine)
    for _ in range(2):
        assert told(sent(sides.improved, sides.user, "POST", f"{target}/reset")) == (201, fresh)
    assert told(sent(sides.strict, sides.user, "GET", target)) == (200, fresh)


def test_what_does_not_exist_is_404_either_way(sides: Sides) -> None:
    for service in (sides.strict, sides.improved):
        for change in ({"username": "taken"}, {"username": None}, {"description": "a\0b"}):
            assert told(sent(service, sides.admin, "PATCH", f"/user/{UNKNOWN}", change)) == NOT_FOUND
        assert told(sent(service, sides.admin, "POST", f"/user/{UNKNOWN}/settings/reset")) == NOT_FOUND


def test_who_is_deleted_makes_no_team(sides: Sides) -> None:
    gone = identity(str(uuid.uuid4()), "guest", "user")
    assert told(sent(sides.strict, gone, "POST", "/team", {"name": new_name()})) == FAILED
    assert told(sent(sides.improved, gone, "POST", "/team", {"name": new_name()})) == NOT_FOUND


def test_members_are_told_in_their_language_and_of_the_end_of_a_team_under_improved_alone(sides: Sides) -> None:
    user = sides.monolith.add_user("guest", "user", username=f"user {uuid.uuid4().hex[:8]}")
    sides.monolith.add_settings(user, language="fr")
    address = f"{user}@example.org"
    sides.monolith.add_email(user, address)
    for service in (sides.strict, sides.improved):
        made = json.loads(sent(service, sides.admin, "POST", "/team", {"name": new_name()}).body)["data"]["id"]
        assert sent(service, sides.admin, "POST", f"/team/{made}/members", {"userId": user}).status == 201
        assert sent(service, sides.admin, "DELETE", f"/team/{made}").status == 204
    asked = [(mail["kind"], mail["locale"]) for mail in asked_for(sides.monolith) if mail["recipient"] == address]
    assert asked == [("team_joined", "en"), ("team_joined", "fr"), ("team_dissolved", "fr")]


def test_of_two_processes_at_once_one_makes_and_one_adds(sides: Sides) -> None:
    user, services = sides.monolith.add_user("guest"), (sides.strict, sides.improved) * 4
    new = {"name": new_name()}
    made = at_once([partial(sent, one, sides.admin, "POST", "/team", new) for one in services])
    (team,) = [row["id"] for row in sides.monolith.rows(tables.teams) if row["name"] == new["name"]]
    members = f"/team/{team}/members"
    added = at_once([partial(sent, one, sides.admin, "POST", members, {"userId": user}) for one in services])
    assert Counter(made) == Counter(added) == {201: 1, 409: len(services) - 1}
    rows = [row["user_id"] for row in sides.monolith.rows(tables.team_members) if row["team_id"] == team]
    assert sorted(rows) == sorted([user, str(sides.admin.subject)])
