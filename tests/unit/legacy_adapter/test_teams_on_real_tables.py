"""Changes of teams on the tables that the real monolith creates: its own types, its own foreign keys."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.outbox.outbox import Outbox
from extracted.account.domain import AlreadyThere, Compat, NameTaken, ValueRefused
from extracted.account.mail_requests.outbox import MailRequestOutbox
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.teams.domain import Member, MembershipRefusal, Team
from extracted.account.teams.service import TeamService
from legacy_adapter.account.team_changes import LegacyTeamChanges
from tests.support.connected import fresh_postgres

SCHEMA = Path(__file__).parents[2] / "recordings" / "schema.sql"
STAMPED = "created_at, updated_at) VALUES ({}, now(), now())"
OF_TEAMS = ("team", "team_members", "auth_role", "auth_role_policies", "auth_subject_roles")

pytestmark = pytest.mark.connected


@dataclass(frozen=True)
class Tables:
    """Two users that can log in; Bob has an e-mail, and wishes French."""

    url: str
    writing: TeamService
    ada: str
    bob: str

    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def counts(self) -> list[int]:
        return [self.rows(f"SELECT count(*) FROM public.{table}")[0][0] for table in OF_TEAMS]


@pytest.fixture
async def tables() -> AsyncIterator[Tables]:
    url, ada, bob = fresh_postgres(), str(uuid.uuid4()), str(uuid.uuid4())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute("SET search_path = public")
        for user, name in ((ada, "Ada"), (bob, "Bob")):
            add(connection, '"user"', id=user, username=name)
            add(connection, "auth_subject", internal_identifier=user, type="user")
        add(connection, "user_settings", user_id=bob, preferred_language="fr")
        add(connection, "user_emails", user_id=bob, email="bob@example.org")
    await migrations.upgrade(url, "account", MIGRATIONS)
    database = Database(url)
    posting = MailRequestOutbox(Outbox(OwnTables("account", is_sqlite=False), now), now)
    yield Tables(url, TeamService(LegacyTeamChanges(database, posting), Compat.IMPROVED), ada, bob)
    await database.aclose()


def now() -> datetime:
    return datetime.now(UTC)


def add(connection: psycopg.Connection, table: str, **values: object) -> None:
    row = {"id": str(uuid.uuid4())} | values
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO {table} ({columns}, {STAMPED.format(places)}"
    connection.execute(statement.encode(), list(row.values()))


async def test_a_team_is_made_and_goes_with_all_its_rows(tables: Tables) -> None:
    writing, ada, bob = tables.writing, tables.ada, tables.bob
    made = await writing.create(ada, {"name": "Red"})
    assert isinstance(made, Team)
    assert tables.counts() == [1, 1, 2, 2, 2]
    policies = tables.rows("SELECT action, resource, attributes FROM public.auth_role_policies ORDER BY resource")
    assert policies == [("manage", "team", {"id": made.id}), ("manage", "team_member", {"team_id": made.id})]
    added = await writing.add_member(made.id, bob, ada)
    assert isinstance(added, Team)
    assert set(added.members) == {Member(ada, "Ada", 0, "captain"), Member(bob, "Bob", 0, "member")}
    assert await writing.add_member(made.id, bob, ada) is MembershipRefusal.ALREADY_MEMBER
    assert await writing.remove_member(made.id, ada) is MembershipRefusal.CAPTAIN
    assert isinstance(await writing.remove_member(made.id, bob), Team)
    assert isinstance(await writing.add_member(made.id, bob, ada), Team)
    assert tables.counts() == [1, 2, 2, 2, 3]
    assert await writing.delete(made.id, ada) is True
    assert tables.counts() == [0, 0, 0, 0, 0]
    told = tables.rows("SELECT body::json->>'kind', body::json->>'locale' FROM account.outbox ORDER BY created_at")
    assert told == [(kind, "fr") for kind in ("team_joined", "team_left", "team_joined", "team_dissolved")]


async def test_what_the_tables_do_not_take_is_told_apart(tables: Tables) -> None:
    red = await tables.writing.create(tables.ada, {"name": "Red"})
    assert isinstance(red, Team)
    assert isinstance(await tables.writing.create(tables.ada, {"name": "Blue"}), Team)
    with pytest.raises(AlreadyThere):
        await tables.writing.create(tables.bob, {"name": "Red"})
    for name, refused in (("Blue", NameTaken), (None, ValueRefused)):
        with pytest.raises(ValueRefused) as error:
            await tables.writing.change(red.id, {"name": name, "description": "lost"})
        assert type(error.value) is refused
    assert await tables.writing.change(red.id, {"description": "é"}) == Team(
        red.id, "Red", "é", (Member(tables.ada, "Ada", 0, "captain"),)
    )
