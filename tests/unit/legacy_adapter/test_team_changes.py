"""What a change of a team writes into the monolith's tables, and what it asks Mailer for."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from extracted.account.domain import AlreadyThere, Compat, NameTaken, ValueRefused
from extracted.account.mail_requests.domain import MailRequest
from extracted.account.teams.domain import Member, MembershipRefusal, Team
from extracted.account.teams.service import TeamService
from legacy_adapter.account.team_changes import LegacyTeamChanges
from tests.unit.legacy_adapter.team_world import TeamWorld

UNKNOWN = "00000000-0000-4000-8000-000000000000"


class OutboxLost(Exception):
    """No room for a message."""


class Broken:
    """An outbox that fails at the last moment."""

    async def put(self, _connection: AsyncConnection, _mail: MailRequest) -> None:
        raise OutboxLost

    def wake(self) -> None:
        raise AssertionError("nothing was committed")


def only(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    return row


async def test_a_new_team_is_all_the_rows_that_the_monolith_writes(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    made = await world.teams().create(ada, {"name": "Red"})
    assert isinstance(made, Team)
    assert made == Team(made.id, "Red", None, (Member(ada, "Ada", 0, "captain"),))
    teams, members, roles, policies, held = world.rows()
    assert only(teams, id=made.id, name="Red", description=None)
    assert only(members, team_id=made.id, user_id=ada, role="captain")
    captain = only(roles, name=f"team::{made.id}::captain", description="Role for captain of the team 'Red'")
    member = only(roles, name=f"team::{made.id}::member", description="Role for members of the team 'Red'")
    wanted = {"action": "manage", "role_id": captain["id"]}
    assert only(policies, **wanted, resource="team", attributes={"id": made.id})
    assert only(policies, **wanted, resource="team_member", attributes={"team_id": made.id})
    subject = world.file.subject_of(ada)
    assert {captain["id"], member["id"]} <= {row["role_id"] for row in held if row["subject_id"] == subject}
    assert (len(teams), len(members), len(policies)) == (1, 1, 2)
    assert await world.mails() == []


@pytest.mark.parametrize(
    ("new", "refused"),
    [
        ({"name": "Red", "description": "another"}, AlreadyThere),
        ({"name": "a\0b"}, ValueRefused),
        ({"name": "Green", "description": "a\0b"}, ValueRefused),
    ],
)
async def test_what_the_table_does_not_take_makes_nothing(
    world: TeamWorld, new: dict[str, str], refused: type[Exception]
) -> None:
    ada = world.add_user("Ada")
    await world.team(ada)
    before = world.rows()
    with pytest.raises(refused):
        await world.teams().create(ada, new)
    world.file.delete_user(ada)
    assert await world.teams().create(ada, {"name": "Blue"}) is MembershipRefusal.UNKNOWN
    teams, _, *roles = world.rows()
    assert (teams, roles) == (before[0], before[2:])


async def test_only_what_differs_of_a_team_is_written(world: TeamWorld) -> None:
    ada = world.add_user("Ada")
    team, service = await world.team(ada), world.teams()
    before = world.rows()
    for same in ({}, {"name": "Red"}, {"name": "Red", "description": None}):
        assert await service.change(team, same) == Team(team, "Red", None, (Member(ada, "Ada", 0, "captain"),))
    assert world.rows() == before
    changed = await service.change(team, {"name": "Blue", "description": ""})
    assert changed == Team(team, "Blue", "", (Member(ada, "Ada", 0, "captain"),))
    assert world.rows()[1:] == before[1:]
    assert await service.change(UNKNOWN, {"name": "Blue"}) is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"name": "Blue", "description": "lost"}, NameTaken),
        ({"name": None, "description": "lost"}, ValueRefused),
        ({"description": "a\0b"}, ValueRefused),
    ],
)
async def test_what_the_table_does_not_take_changes_nothing(
    world: TeamWorld, changes: dict[str, str | None], refused: type[ValueRefused]
) -> None:
    ada = world.add_user("Ada")
    team = await world.team(ada)
    await world.team(ada, name="Blue")
    before = world.rows()
    with pytest.raises(ValueRefused) as error:
        await world.teams().change(team, changes)
    assert type(error.value) is refused
    assert world.rows() == before
    assert await world.teams().change(UNKNOWN, changes) is None


async def test_a_new_member_gets_role_row_and_mail_to_the_first_address(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob", emails=3)
    team, service = await world.team(ada), world.teams()
    added = await service.add_member(team, bob, ada)
    assert isinstance(added, Team)
    assert set(added.members) == {Member(ada, "Ada", 0, "captain"), Member(bob, "Bob", 0, "member")}
    assert world.members(team) == {ada: "captain", bob: "member"}
    assert world.holders(f"team::{team}::member") == sorted((ada, bob))
    assert world.holders(f"team::{team}::captain") == [ada]
    variables = {"username": "Bob", "inviter": "Ada", "team": "Red"}
    asked = {"kind": "team_joined", "recipient": "Bob-0@example.org", "locale": "en", "variables": variables}
    assert await world.mails() == [asked]
    for user in (bob, ada):
        assert await service.add_member(team, user, ada) is MembershipRefusal.ALREADY_MEMBER
    assert await world.mails() == [asked]


async def test_a_member_that_goes_loses_role_and_row_and_gets_mail(world: TeamWorld) -> None:
    ada, bob, eve = (world.add_user(name) for name in ("Ada", "Bob", "Eve"))
    team, service = await world.team(ada, bob, eve), world.teams()
    other = await world.team(bob, ada, name="Blue")
    before = len(await world.mails())
    removed = await service.remove_member(team, bob)
    assert isinstance(removed, Team)
    assert {member.username for member in removed.members} == {"Ada", "Eve"}
    assert world.members(team) == {ada: "captain", eve: "member"}
    assert world.members(other) == {bob: "captain", ada: "member"}
    assert world.holders(f"team::{team}::member") == sorted((ada, eve))
    assert world.holders(f"team::{other}::member") == sorted((ada, bob))
    variables = {"username": "Bob", "team": "Red"}
    mail = {"kind": "team_left", "recipient": "Bob-0@example.org", "locale": "en", "variables": variables}
    assert (await world.mails())[before:] == [mail]
    assert await service.remove_member(team, bob) is MembershipRefusal.NOT_MEMBER
    assert len(await world.mails()) == before + 1


async def test_a_captain_stays_and_who_has_no_address_joins_and_leaves_without_mail(world: TeamWorld) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob", emails=0)
    team = await world.team(ada)
    before = world.rows()
    assert await world.teams().remove_member(team, ada) is MembershipRefusal.CAPTAIN
    assert isinstance(await world.teams().add_member(team, bob, ada), Team)
    assert isinstance(await world.teams().remove_member(team, bob), Team)
    assert (world.rows(), await world.mails()) == (before, [])


async def test_what_is_not_there_changes_nothing(world: TeamWorld) -> None:
    ada, bob, gone = (world.add_user(name) for name in ("Ada", "Bob", "Eve"))
    team, service = await world.team(ada, bob), world.teams()
    world.file.delete_user(gone)
    before, mails = world.rows(), await world.mails()
    for wanted_team, user, inviter in ((UNKNOWN, bob, ada), (team, gone, ada), (team, UNKNOWN, ada), (team, bob, gone)):
        assert await service.add_member(wanted_team, user, inviter) is MembershipRefusal.UNKNOWN
    for wanted_team, user in ((UNKNOWN, bob), (team, gone), (team, UNKNOWN)):
        assert await service.remove_member(wanted_team, user) is MembershipRefusal.UNKNOWN
    assert await service.delete(UNKNOWN, ada) is False
    assert (world.rows(), await world.mails()) == (before, mails)


async def test_a_team_without_roles_takes_no_member_but_lets_one_go(world: TeamWorld) -> None:
    """The monolith never leaves one; a hand in the database may."""
    ada, bob, eve = (world.add_user(name) for name in ("Ada", "Bob", "Eve"))
    team = world.file.add_team("Red", ada, bob)
    with pytest.raises(ValueRefused):
        await world.teams().add_member(team, eve, ada)
    assert isinstance(await world.teams().remove_member(team, bob), Team)
    assert world.members(team) == {ada: "captain"}


@pytest.mark.parametrize("compat", Compat)
async def test_a_deleted_team_leaves_nothing_and_others_stay(world: TeamWorld, compat: Compat) -> None:
    ada, bob = world.add_user("Ada"), world.add_user("Bob")
    blue = await world.team(ada, bob, name="Blue")
    before = world.rows()
    red = await world.team(ada, bob)
    assert await world.teams(compat).delete(red, ada) is True
    assert world.rows() == before
    assert await world.teams(compat).delete(red, ada) is False
    assert world.members(blue) == {ada: "captain", bob: "member"}


async def test_all_but_who_did_it_are_told_that_a_team_is_gone_and_that_under_improved_alone(world: TeamWorld) -> None:
    ada, bob, admin = world.add_user("Ada"), world.add_user("Bob", emails=2), world.add_user("Admin")
    eve = world.add_user("Eve", emails=0)
    red, blue, green = [await world.team(ada, bob, eve, name=name) for name in ("Red", "Blue", "Green")]
    before = len(await world.mails())
    assert await world.teams().delete(blue, ada) is True
    assert len(await world.mails()) == before
    assert await world.teams(Compat.IMPROVED).delete(red, ada) is True
    told = {"username": "Bob", "team": "Red"}
    mail = {"kind": "team_dissolved", "recipient": "Bob-0@example.org", "locale": "fr", "variables": told}
    assert (await world.mails())[before:] == [mail]
    assert await world.teams(Compat.IMPROVED).delete(green, admin) is True
    told_too = sorted(mail["recipient"] for mail in (await world.mails())[before + 1 :])
    assert told_too == ["Ada-0@example.org", "Bob-0@example.org"]


async def test_a_change_whose_mail_cannot_be_asked_for_is_none(world: TeamWorld) -> None:
    ada, bob, eve = (world.add_user(name) for name in ("Ada", "Bob", "Eve"))
    team = await world.team(ada, bob)
    before = world.rows()
    broken = TeamService(LegacyTeamChanges(world.database, Broken()), Compat.IMPROVED)
    for change in (broken.add_member(team, eve, ada), broken.remove_member(team, bob), broken.delete(team, ada)):
        with pytest.raises(OutboxLost):
            await change
    assert world.rows() == before
