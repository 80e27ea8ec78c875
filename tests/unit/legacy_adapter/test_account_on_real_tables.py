"""Account's ports on the tables that the real monolith creates: its own types, its own foreign keys."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from chassis.database.database import Database
from extracted.account.domain import NameTaken, PageQuery, ValueRefused
from extracted.account.teams.domain import Member, Team
from extracted.account.users.domain import RankedUser, User, UserSettings
from legacy_adapter.account.teams import LegacyTeams
from legacy_adapter.account.users import LegacyUsers, LegacyUserSettings
from tests.support.connected import fresh_postgres

SCHEMA = Path(__file__).parents[2] / "recordings" / "schema.sql"
STAMPED = "created_at, updated_at) VALUES ({}, now(), now())"

pytestmark = pytest.mark.connected


@dataclass(frozen=True)
class Tables:
    """Two users with settings; the first, Ada, is captain of a team."""

    database: Database
    ada: str
    bob: str
    team: str


@pytest.fixture
async def tables() -> AsyncIterator[Tables]:
    url = fresh_postgres()
    ada, bob, team = (str(uuid.uuid4()) for _ in range(3))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute("SET search_path = public")
        for user, name, points in ((ada, "Ada", 5), (bob, "Bob", 7)):
            add(connection, '"user"', id=user, username=name, points=points)
            add(
                connection, "user_settings", id=str(uuid.uuid4()), user_id=user, preferred_editing_language="javascript"
            )
        add(connection, "team", id=team, name="Red")
        add(connection, "team_members", id=str(uuid.uuid4()), team_id=team, user_id=ada, role="captain")
    database = Database(url)
    yield Tables(database, ada, bob, team)
    await database.aclose()


def add(connection: psycopg.Connection, table: str, **values: object) -> None:
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    statement = f"INSERT INTO {table} ({columns}, {STAMPED.format(places)}"
    connection.execute(statement.encode(), list(values.values()))


async def test_users_are_read_changed_and_deleted(tables: Tables) -> None:
    users, ada = LegacyUsers(tables.database), User(tables.ada, "Ada", None, 5)
    assert await users.find(tables.ada) == RankedUser(ada, 2)
    assert list((await users.select(PageQuery(0, 10, {"username": "aD_"}))).values) == [ada]
    assert await users.change(tables.ada, {"description": "é"}) == User(tables.ada, "Ada", "é", 5)
    assert await users.teams(tables.ada) == [tables.team]
    assert await users.teams(tables.bob) == []
    assert (await users.delete(tables.ada), await users.delete(tables.ada)) == (True, False)
    assert await LegacyTeams(tables.database).find(tables.team) == Team(tables.team, "Red", None)


async def test_what_the_tables_do_not_take_is_told_apart(tables: Tables) -> None:
    users = LegacyUsers(tables.database)
    for name, refused in (("Bob", NameTaken), (None, ValueRefused)):
        with pytest.raises(ValueRefused) as error:
            await users.change(tables.ada, {"username": name, "description": "lost"})
        assert type(error.value) is refused
    assert await users.find(tables.ada) == RankedUser(User(tables.ada, "Ada", None, 5), 2)


async def test_settings_are_read_changed_and_end_with_their_user(tables: Tables) -> None:
    settings = LegacyUserSettings(tables.database)
    assert await settings.find(tables.bob) == UserSettings("javascript", "en")
    for changes, after in (
        ({"language": "fr", "editing_language": None}, UserSettings(None, "fr")),
        ({"language": "fr"}, UserSettings(None, "fr")),
        ({"language": None}, UserSettings(None, None)),
    ):
        assert await settings.change(tables.bob, changes) == after
    await LegacyUsers(tables.database).delete(tables.bob)
    assert await settings.find(tables.bob) is None


async def test_teams_are_read_with_their_members(tables: Tables) -> None:
    red = Team(tables.team, "Red", None, (Member(tables.ada, "Ada", 5, "captain"),))
    teams = LegacyTeams(tables.database)
    assert await teams.find(tables.team) == red
    found = await teams.select(PageQuery(0, 10, {"name": "RED"}, {"name": True}))
    assert (list(found.values), found.total) == ([red], 1)
