"""Changes of one team at once: one wins where one can, nobody fails, and role, row and mail always go together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import pytest

from examples.monolith.storage import tables
from extracted.account.domain import AlreadyThere, Compat
from extracted.account.teams.domain import MembershipRefusal, Team
from legacy_adapter.account.users import LegacyUsers
from tests.support.stores import EVERYWHERE
from tests.unit.legacy_adapter.team_world import TeamWorld, team_world

pytestmark = pytest.mark.walk

DEADLINE_S = 60
ROUNDS = 5
T = TypeVar("T")


@pytest.fixture(params=EVERYWHERE)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TeamWorld]:
    async with team_world(request.param(tmp_path)) as world:
        yield world


async def at_once(*changes: Awaitable[T]) -> list[T | AlreadyThere]:
    """What each came to; whatever else one raises fails the test."""
    async with asyncio.timeout(DEADLINE_S):
        found = await asyncio.gather(*changes, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, AlreadyThere):
            raise one
    return [one for one in found if not isinstance(one, BaseException) or isinstance(one, AlreadyThere)]


def kinds(found: Sequence[object]) -> Counter[object]:
    """How many there are of each; all teams are one kind."""
    return Counter(type(one) if isinstance(one, Team | AlreadyThere) else one for one in found)


def assert_whole(world: TeamWorld, team: str) -> None:
    """Whoever is in the team holds its role, and nobody else."""
    assert world.holders(f"team::{team}::member") == sorted(world.members(team))


async def test_of_several_of_one_name_one_is_made(world: TeamWorld) -> None:
    users = [world.add_user(f"user-{index}") for index in range(6)]
    for round_ in range(ROUNDS):
        found = await at_once(*(world.writing().create(user, {"name": f"Team {round_}"}) for user in users))
        assert kinds(found) == {Team: 1, AlreadyThere: 5}
    made, members, roles, policies, held = map(len, world.rows())
    assert (made, members, policies) == (ROUNDS, ROUNDS, 2 * ROUNDS)
    assert (roles, held) == (1 + 2 * ROUNDS, 6 + 2 * ROUNDS)


async def test_who_is_added_several_times_is_a_member_once_and_told_once(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        user = world.add_user(f"user-{round_}")
        found = await at_once(*(world.writing().add_member(team, user, ada) for _ in range(6)))
        assert kinds(found) == {Team: 1, MembershipRefusal.ALREADY_MEMBER: 5}
        assert_whole(world, team)
    assert len(await world.mails()) == ROUNDS


async def test_who_is_removed_several_times_is_told_once(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        user = world.add_user(f"user-{round_}", emails=0)
        await world.writing().add_member(team, user, ada)
        world.file.add_email(user, f"{user}@example.org")
        found = await at_once(*(world.writing().remove_member(team, user) for _ in range(6)))
        assert kinds(found) == {Team: 1, MembershipRefusal.NOT_MEMBER: 5}
        assert_whole(world, team)
    assert len(await world.mails()) == ROUNDS


async def test_added_and_removed_at_once_leaves_role_and_row_together(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team, writing = await world.team(ada), world.writing()
    found: list[object] = []
    for _ in range(ROUNDS):
        pairs = [(writing.add_member(team, bob, ada), writing.remove_member(team, bob)) for _ in range(6)]
        found += await at_once(*chain.from_iterable(pairs))
        assert_whole(world, team)
    told = Counter(mail["kind"] for mail in await world.mails())
    assert sum(told.values()) == kinds(found)[Team]
    assert told["team_joined"] - told["team_left"] == (bob in world.members(team))
    assert told["team_left"] > 0


async def test_a_team_that_goes_while_members_come_leaves_nothing(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    users = [world.add_user(f"user-{index}") for index in range(6)]
    untouched = world.rows()
    for _ in range(ROUNDS):
        team = await world.team(ada, users[0])
        writing = world.writing(Compat.IMPROVED)
        deleted = [writing.delete(team, ada) for _ in range(2)]
        added = [writing.add_member(team, user, ada) for user in users[1:]]
        removed = writing.remove_member(team, users[0])
        found = await at_once(*added[:3], deleted[0], removed, deleted[1], *added[3:])
        assert [one for one in found if isinstance(one, bool)].count(True) == 1
        assert {one for one in found if not isinstance(one, Team)} <= {True, False, MembershipRefusal.UNKNOWN}
        assert world.rows() == untouched


async def test_who_is_deleted_while_joining_leaves_no_row(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        user = world.add_user(f"user-{round_}")
        added, removed = world.writing().add_member(team, user, ada), world.writing().remove_member(team, user)
        found = await at_once(added, LegacyUsers(world.database).delete(user), removed)
        assert kinds(found)[True] == 1
        assert world.members(team) == {ada: "captain"}


async def test_a_name_changed_to_and_made_at_once_is_one_teams(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        new = {"name": f"Name {round_}"}
        made, changed = await asyncio.gather(
            world.writing().create(ada, new), world.writing().change(team, new), return_exceptions=True
        )
        assert isinstance(made, Team) != isinstance(changed, Team), (made, changed)
    names = [row["name"] for row in world.file.rows(tables.teams)]
    assert len(names) == len(set(names))
