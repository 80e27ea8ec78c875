"""Changes of one team at once: one wins where one can, nobody fails, and role, row and mail always go together."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

import pytest

from examples.monolith.storage import tables
from extracted.account.domain import AlreadyThere, Compat
from extracted.account.teams.domain import MembershipRefusal, Team
from legacy_adapter.account.users import LegacyUsers
from tests.unit.legacy_adapter.team_world import TeamWorld

pytestmark = pytest.mark.walk

DEADLINE_S = 60
ROUNDS = 5
T = TypeVar("T")


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


@pytest.mark.parametrize("is_member", [False, True])
async def test_who_is_added_or_removed_several_times_is_so_once_and_told_once(
    world: TeamWorld, is_member: bool
) -> None:
    ada, service = world.add_user("Ada"), world.teams()
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        user = world.add_user(f"user-{round_}", emails=0)
        if is_member:
            await service.add_member(team, user, ada)
        world.file.add_email(user, f"{user}@example.org")
        change = (
            partial(service.remove_member, team, user) if is_member else partial(service.add_member, team, user, ada)
        )
        refusal = MembershipRefusal.NOT_MEMBER if is_member else MembershipRefusal.ALREADY_MEMBER
        assert kinds(await at_once(*(change() for _ in range(6)))) == {Team: 1, refusal: 5}
        assert_whole(world, team)
    assert len(await world.mails()) == ROUNDS


async def test_added_and_removed_at_once_leaves_role_and_row_together(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    team, service = await world.team(ada), world.teams()
    found: list[object] = []
    for _ in range(ROUNDS):
        pairs = [(service.add_member(team, bob, ada), service.remove_member(team, bob)) for _ in range(6)]
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
        service = world.teams(Compat.IMPROVED)
        deleted = [service.delete(team, ada) for _ in range(2)]
        added = [service.add_member(team, user, ada) for user in users[1:]]
        removed = service.remove_member(team, users[0])
        found = await at_once(*added[:3], deleted[0], removed, deleted[1], *added[3:])
        assert [one for one in found if isinstance(one, bool)].count(True) == 1
        assert {one for one in found if not isinstance(one, Team)} <= {True, False, MembershipRefusal.UNKNOWN}
        assert world.rows() == untouched


async def test_who_is_deleted_while_joining_leaves_no_row(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        user = world.add_user(f"user-{round_}")
        added, removed = world.teams().add_member(team, user, ada), world.teams().remove_member(team, user)
        found = await at_once(added, LegacyUsers(world.database).delete(user), removed)
        assert kinds(found)[True] == 1
        assert world.members(team) == {ada: "captain"}


async def test_a_name_changed_to_and_made_at_once_is_one_teams(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    for round_ in range(ROUNDS):
        new = {"name": f"Name {round_}"}
        made, changed = await asyncio.gather(
            world.teams().create(ada, new), world.teams().change(team, new), return_exceptions=True
        )
        assert isinstance(made, Team) != isinstance(changed, Team), (made, changed)
    names = [row["name"] for row in world.file.rows(tables.teams)]
    assert len(names) == len(set(names))
