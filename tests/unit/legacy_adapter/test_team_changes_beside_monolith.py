"""On PostgreSQL: the monolith's own transaction under way while ours begins; it knows nothing of our locks."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from examples.monolith.storage import tables
from extracted.account.domain import AlreadyThere
from extracted.account.teams.domain import MembershipRefusal, Team
from tests.support.connected import waiting
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import on_real_schema
from tests.unit.legacy_adapter.team_world import TeamWorld

DEADLINE_S = 60
STAMPED = "created_at, updated_at) VALUES ({}, now(), now())"

pytestmark = pytest.mark.connected


@pytest.fixture
def file(tmp_path: Path) -> Iterator[MonolithData]:
    file = MonolithData(on_real_schema(tmp_path))
    yield file
    file.close()


@contextmanager
def monolith(world: TeamWorld) -> Iterator[psycopg.Connection]:
    """A transaction of its own; the test ends it."""
    with psycopg.connect(world.file.url) as connection:
        yield connection


def insert(connection: psycopg.Connection, table: str, **values: object) -> None:
    row = {"id": str(uuid.uuid4())} | values
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({columns}, {STAMPED.format(places)}".encode(), list(row.values()))


def join(connection: psycopg.Connection, world: TeamWorld, team: str, user: str) -> None:
    """As the monolith does: role, then row."""
    roles = {row["name"]: row["id"] for row in world.file.rows(tables.auth_roles)}
    role = roles[f"team::{team}::member"]
    insert(connection, "auth_subject_roles", subject_id=world.file.subject_of(user), role_id=role)
    insert(connection, "team_members", team_id=team, user_id=user, role="member")


async def blocked(world: TeamWorld) -> None:
    """Returns when somebody waits for a lock."""
    async with asyncio.timeout(DEADLINE_S):
        while not waiting(world.file.url):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("commits", [True, False])
async def test_who_is_being_added_by_the_monolith_is_added_once(world: TeamWorld, commits: bool) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team = await world.team(ada)
    with monolith(world) as connection:
        join(connection, world, team, bob)
        ours = asyncio.create_task(world.teams().add_member(team, bob, ada))
        await blocked(world)
        connection.commit() if commits else connection.rollback()
        added = await asyncio.wait_for(ours, DEADLINE_S)
    assert (added is MembershipRefusal.ALREADY_MEMBER) if commits else isinstance(added, Team)
    assert world.members(team) == {ada: "captain", bob: "member"}
    assert world.holders(f"team::{team}::member") == sorted((ada, bob))
    assert len(await world.mails()) == (0 if commits else 1)


async def test_a_role_given_too_late_does_not_stay(world: TeamWorld) -> None:
    """Our role is written before the row shows that another was first: it does not stay."""
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team = await world.team(ada)
    with monolith(world) as connection:
        insert(connection, "team_members", team_id=team, user_id=bob, role="member")
        ours = asyncio.create_task(world.teams().add_member(team, bob, ada))
        await blocked(world)
        connection.commit()
        assert await asyncio.wait_for(ours, DEADLINE_S) is MembershipRefusal.ALREADY_MEMBER
    assert world.holders(f"team::{team}::member") == [ada]


async def test_who_is_being_removed_by_the_monolith_is_told_by_it_alone(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team = await world.team(ada, bob)
    before = len(await world.mails())
    with monolith(world) as connection:
        connection.execute("DELETE FROM team_members WHERE user_id = %s", [bob])
        ours = asyncio.create_task(world.teams().remove_member(team, bob))
        await blocked(world)
        connection.commit()
        assert await asyncio.wait_for(ours, DEADLINE_S) is MembershipRefusal.NOT_MEMBER
    assert len(await world.mails()) == before


async def test_a_team_that_the_monolith_deletes_takes_nobody_in(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team = await world.team(ada)
    with monolith(world) as connection:
        connection.execute("DELETE FROM auth_role WHERE name LIKE 'team::%'")
        ours = asyncio.create_task(world.teams().add_member(team, bob, ada))
        await blocked(world)
        connection.execute("DELETE FROM team")
        connection.commit()
        assert await asyncio.wait_for(ours, DEADLINE_S) is MembershipRefusal.UNKNOWN
    assert await world.mails() == []


async def test_a_name_that_the_monolith_is_giving_away_is_taken(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    with monolith(world) as connection:
        insert(connection, "team", name="Red")
        ours = asyncio.create_task(world.teams().create(ada, {"name": "Red"}))
        await blocked(world)
        connection.commit()
        with pytest.raises(AlreadyThere):
            await asyncio.wait_for(ours, DEADLINE_S)


@pytest.mark.parametrize("commits", [True, False])
async def test_who_is_being_deleted_by_the_monolith_is_waited_for(world: TeamWorld, commits: bool) -> None:
    ada, bob, eve = (world.add_user(name) for name in ("Ada", "Bob", "Eve"))
    team = await world.team(ada)
    with monolith(world) as connection:
        connection.execute('DELETE FROM "user" WHERE id IN (%s, %s)', [bob, eve])
        ours = [world.teams().add_member(team, bob, ada), world.teams().create(eve, {"name": "Blue"})]
        both = asyncio.gather(*ours)
        await blocked(world)
        connection.commit() if commits else connection.rollback()
        found = await asyncio.wait_for(both, DEADLINE_S)
    assert found == [MembershipRefusal.UNKNOWN] * 2 if commits else all(isinstance(one, Team) for one in found)
