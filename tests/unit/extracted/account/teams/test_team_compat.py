"""Teams where the monolith is known to be wrong: `strict`, `improved`; and what is served without a broker."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from tests.parity.twins import asked_for
from tests.support.monolith_file import MonolithData
from tests.unit.extracted.running import Answer, Gateway, RunningService, running_service

pytestmark = pytest.mark.walk

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FAILED = (500, b'{"statusCode":500,"message":"Internal Server Error"}')
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')
CONFLICT = (409, b'{"statusCode":409,"message":"Resource already exists","error":"Conflict"}')
JSON = {"Content-Type": "application/json"}
ADMIN = ("admin",)


@dataclass(frozen=True)
class Sides:
    """Both with a broker, on one database."""

    strict: RunningService
    improved: RunningService
    monolith: MonolithData


@pytest.fixture(scope="module")
def sides(monolith: MonolithData, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    asyncio.run(migrations.upgrade(monolith.url, "account", MIGRATIONS))
    broker_url = f"sqlite:///{tmp_path_factory.mktemp('broker') / 'broker.sqlite3'}"
    with (
        running_service("account", monolith.url, gateway, BROKER_URL=broker_url) as strict,
        running_service("account", monolith.url, gateway, BROKER_URL=broker_url, COMPAT="improved") as improved,
    ):
        yield Sides(strict, improved, monolith)


@pytest.fixture
def admin(monolith: MonolithData) -> Identity:
    return Identity(AuthenticationOutcome.USER, monolith.add_user("admin"), ADMIN)


def sent(service: RunningService, who: Identity, method: str, target: str, body: object = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    return service.ask(target, who, method=method, headers=JSON if content else {}, body=content)


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def new_name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(
    ("changes", "improved"),
    [
        ({"name": "taken by another"}, CONFLICT),
        ({"name": "taken by another", "description": "lost"}, CONFLICT),
        ({"name": None}, BAD_REQUEST),
        ({"description": "a\0b"}, BAD_REQUEST),
    ],
)
def test_a_change_that_the_table_does_not_take(
    sides: Sides, admin: Identity, changes: dict[str, str | None], improved: tuple[int, bytes]
) -> None:
    if not any(row["name"] == "taken by another" for row in sides.monolith.rows(tables.teams)):
        sides.monolith.add_team("taken by another", admin.subject or "")
    team = sides.monolith.add_team(new_name(), admin.subject or "")
    before = sides.monolith.rows(tables.teams)
    assert told(sent(sides.strict, admin, "PATCH", f"/team/{team}", changes)) == FAILED
    assert told(sent(sides.improved, admin, "PATCH", f"/team/{team}", changes)) == improved
    assert sides.monolith.rows(tables.teams) == before


def test_an_id_that_is_none(sides: Sides, admin: Identity) -> None:
    for method, body in (("PATCH", {}), ("DELETE", None)):
        assert told(sent(sides.strict, admin, method, "/team/abc", body)) == FAILED
        assert told(sent(sides.improved, admin, method, "/team/abc", body)) == NOT_FOUND


def test_who_is_deleted_makes_no_team(sides: Sides) -> None:
    gone = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("guest", "user"))
    assert told(sent(sides.strict, gone, "POST", "/team", {"name": new_name()})) == FAILED
    assert told(sent(sides.improved, gone, "POST", "/team", {"name": new_name()})) == NOT_FOUND


def test_a_taken_name_of_a_new_team_is_a_conflict_either_way(sides: Sides, admin: Identity) -> None:
    name = new_name()
    assert sent(sides.strict, admin, "POST", "/team", {"name": name}).status == 201
    for service in (sides.strict, sides.improved):
        assert told(sent(service, admin, "POST", "/team", {"name": name})) == CONFLICT


def test_members_are_told_in_their_language_and_of_the_end_of_a_team_under_improved_alone(
    sides: Sides, admin: Identity
) -> None:
    user = sides.monolith.add_user("guest", "user", username=f"user {uuid.uuid4().hex[:8]}")
    sides.monolith.add_settings(user, language="fr")
    address = f"{user}@example.org"
    sides.monolith.add_email(user, address)
    for service in (sides.strict, sides.improved):
        made = json.loads(sent(service, admin, "POST", "/team", {"name": new_name()}).body)["data"]["id"]
        assert sent(service, admin, "POST", f"/team/{made}/members", {"userId": user}).status == 201
        assert sent(service, admin, "DELETE", f"/team/{made}").status == 204
    asked = [(mail["kind"], mail["locale"]) for mail in asked_for(sides.monolith) if mail["recipient"] == address]
    assert asked == [("team_joined", "en"), ("team_joined", "fr"), ("team_dissolved", "fr")]


def test_of_two_processes_at_once_one_makes_and_one_adds(sides: Sides, admin: Identity) -> None:
    user, services = sides.monolith.add_user("guest"), (sides.strict, sides.improved) * 4
    with ThreadPoolExecutor(len(services)) as threads:
        new = {"name": new_name()}
        made = list(threads.map(lambda one: sent(one, admin, "POST", "/team", new), services))
        assert Counter(answer.status for answer in made) == {201: 1, 409: len(services) - 1}
        team = next(json.loads(answer.body)["data"]["id"] for answer in made if answer.status == 201)
        who = {"userId": user}
        added = list(threads.map(lambda one: sent(one, admin, "POST", f"/team/{team}/members", who), services))
        assert Counter(answer.status for answer in added) == {201: 1, 409: len(services) - 1}
    members = [row["user_id"] for row in sides.monolith.rows(tables.team_members) if row["team_id"] == team]
    assert set(members) == {user, admin.subject}
    assert len(members) == 2


def test_without_a_broker_teams_are_read_alone(account: RunningService, monolith: MonolithData) -> None:
    admin = Identity(AuthenticationOutcome.USER, monolith.add_user("admin"), ADMIN)
    team = monolith.add_team(new_name(), admin.subject or "")
    assert account.ask(f"/team/{team}", admin).status == 200
    for method, target in (("POST", "/team"), ("PATCH", f"/team/{team}"), ("DELETE", f"/team/{team}/members")):
        answer = sent(account, admin, method, target, {})
        assert answer.status == 404
        assert json.loads(answer.body)["message"] == f"Cannot {method} {target}"
