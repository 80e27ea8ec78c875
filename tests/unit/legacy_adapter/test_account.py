"""Account's ports on the monolith's tables: how many statements a list takes, and what a change writes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from chassis.database.database import Database
from examples.monolith.storage import tables
from extracted.account.domain import NameTaken, PageQuery, ValueRefused
from extracted.account.teams.domain import Member, Team
from extracted.account.users.domain import UserSettings
from legacy_adapter.account.teams import LegacyTeams
from legacy_adapter.account.users import LegacyUsers, LegacyUserSettings
from tests.support.monolith.monolith_file import MonolithData

ALL = PageQuery(0, 100)
LATER = datetime(2040, 1, 2, tzinfo=UTC)
UNKNOWN = str(uuid.uuid4())


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is executed inside the block, but for the ends of transactions."""
    seen: list[str] = []

    def executed(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT"):
            seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", executed)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", executed)


def fill(file: MonolithData, teams: int) -> None:
    users = [file.add_user(username=f"user {index}", points=index) for index in range(teams)]
    for index, user in enumerate(users):
        file.add_team(f"team {index}", user, *(other for other in users[:3] if other != user))


@pytest.mark.parametrize("rows", [0, 1, 100])
async def test_a_list_takes_the_same_number_of_statements_however_long_it_is(
    file: MonolithData, database: Database, rows: int
) -> None:
    fill(file, rows)
    with statements(database) as of_users:
        users = await LegacyUsers(database).select(ALL)
    with statements(database) as of_teams:
        teams = await LegacyTeams(database).select(ALL)
    assert (len(users.values), users.total, len(teams.values), teams.total) == (rows,) * 4
    assert sum(len(team.members) for team in teams.values) >= rows
    assert (len(of_users), len(of_teams)) == (2, 3)


async def test_user_and_rank_are_of_one_moment(file: MonolithData, database: Database) -> None:
    first, second = file.add_user(points=5), file.add_user(points=5)
    file.add_user(points=9)
    with statements(database) as seen:
        ranks = [found.rank for user in (first, second) if (found := await LegacyUsers(database).find(user))]
    assert (ranks, len(seen)) == ([2, 2], 2)
    assert await LegacyUsers(database).find(UNKNOWN) is None


async def test_the_teams_of_a_user_are_one_statement(file: MonolithData, database: Database) -> None:
    fill(file, 5)
    user = file.rows(tables.users)[0]["id"]
    with statements(database) as seen:
        teams = await LegacyUsers(database).teams(user)
    assert (len(seen), teams is not None and len(teams) >= 1) == (1, True)
    assert await LegacyUsers(database).teams(file.add_user()) == []
    assert await LegacyUsers(database).teams(UNKNOWN) is None


async def test_only_what_differs_is_written_and_dated(file: MonolithData, database: Database) -> None:
    user = file.add_user(username="name", description="text")
    (before,) = file.rows(tables.users)
    users = LegacyUsers(database, lambda: LATER)
    for changes in ({}, {"username": "name"}, {"username": "name", "description": "text"}):
        assert await users.change(user, changes) is not None
    assert file.rows(tables.users) == [before]
    changed = await users.change(user, {"description": None})
    assert changed is not None
    assert (changed.username, changed.description) == ("name", None)
    assert file.rows(tables.users) == [before | {"description": None, "updated_at": LATER}]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [({"username": "taken"}, NameTaken), ({"username": None}, ValueRefused), ({"description": "a\0b"}, ValueRefused)],
)
async def test_what_the_table_does_not_take_changes_nothing(
    file: MonolithData, database: Database, changes: dict[str, str | None], refused: type[ValueRefused]
) -> None:
    file.add_user(username="taken")
    user = file.add_user(username="mine")
    before = file.rows(tables.users)
    with pytest.raises(ValueRefused) as error:
        await LegacyUsers(database).change(user, changes)
    assert type(error.value) is refused
    assert file.rows(tables.users) == before
    assert await LegacyUsers(database).change(UNKNOWN, changes) is None


async def test_settings_end_with_their_user(file: MonolithData, database: Database) -> None:
    user = file.add_user()
    file.add_settings(user, "cobol", None)
    settings = LegacyUserSettings(database)
    assert await settings.find(user) == UserSettings("cobol", None)
    assert await settings.change(user, {"language": "fr"}) == UserSettings("cobol", "fr")
    with pytest.raises(ValueRefused):
        await settings.change(user, {"editing_language": "x" * 256})
    team = file.add_team("Red", user)
    assert await LegacyUsers(database).delete(user) is True
    assert await LegacyTeams(database).find(team) == Team(team, "Red", None)
    assert await LegacyUsers(database).delete(user) is False
    assert await settings.find(user) is None
    assert await settings.change(user, {"language": "en"}) is None


async def test_a_nul_to_look_for_is_a_nought_as_sequelize_has_it_and_a_wildcard_works(
    file: MonolithData, database: Database
) -> None:
    captain = file.add_user(username="Ab_c")
    file.add_user(username="nought 0")
    file.add_team("Red 0", captain)
    file.add_team("Red", captain)
    for port, name in ((LegacyUsers(database), "username"), (LegacyTeams(database), "name")):
        found = await port.select(PageQuery(0, 10, {name: "\0"}))
        assert (len(found.values), found.total) == (1, 1)
    found = await LegacyUsers(database).select(PageQuery(0, 10, {"username": "aB%C"}))
    assert [user.username for user in found.values] == ["Ab_c"]
    assert (await LegacyTeams(database).select(PageQuery(0, 10, {"name": "\\_"}))).total == 0
    found_teams = await LegacyTeams(database).select(PageQuery(0, 10, {"name": "RED"}, {"name": True}))
    assert [(team.name, team.members) for team in found_teams.values] == [
        (name, (Member(captain, "Ab_c", 0, "captain"),)) for name in ("Red 0", "Red")
    ]
