"""Account's port for changes of teams on the monolith's tables: all rows of the monolith's and the mail, or nothing.

Rows are locked in this order: the members' role, users, holders of the role, members, the team. The monolith does not
know these locks; the tables' constraints decide between its writes and ours.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.domain import AlreadyThere, Changes, ValueRefused
from extracted.account.mail_requests.domain import Addressee, ComposeMailWith
from extracted.account.teams.domain import CAPTAIN, MEMBER, MembershipRefusal, Team
from legacy_adapter.account import team_rows
from legacy_adapter.account.mail_requests import MailRequests
from legacy_adapter.account.roles import give_role
from legacy_adapter.account.teams import with_members
from legacy_adapter.rows import changed, inserted, now, refuse_nul, refusing
from legacy_adapter.tables import team_members, teams, users


class _Undone(Exception):
    """Rolls the transaction back."""

    def __init__(self, why: MembershipRefusal) -> None:
        super().__init__(why)
        self.why = why


class LegacyTeamChanges:
    """Implements the port TeamChanges."""

    def __init__(self, database: Database, mail_requests: MailRequests, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._mail_requests = mail_requests
        self._clock = clock

    async def create(self, captain_id: str, new: Changes) -> Team | MembershipRefusal:
        """The unique name decides between two at once."""
        refuse_nul(new)
        return await self._settled(partial(self._create, captain_id, new))

    async def change(self, team_id: str, changes: Changes) -> Team | None:
        """Writes only the named columns."""
        async with refusing(self._database.write() if changes else self._database.read()) as connection:
            row = await changed(connection, teams, teams.c.id == team_id, changes, self._clock())
            return None if row is None else await _shown(connection, row)

    async def delete(self, team_id: str, by: str, mail: ComposeMailWith | None) -> bool:
        """Removes the roles first, so that nobody joins meanwhile; the schema cascades to the rest."""
        async with self._database.write() as connection:
            if await _found(connection, team_id) is None:
                return False
            await team_rows.remove_roles(connection, team_id)
            to = await _others(connection, team_id, by)
            name = await connection.scalar(delete(teams).where(teams.c.id == team_id).returning(teams.c.name))
            if name is None:
                return False
            if mail is not None:
                await self._tell(connection, to, mail, {"team": name})
        self._mail_requests.wake()
        return True

    async def add_member(
        self, team_id: str, user_id: str, inviter_id: str, mail: ComposeMailWith
    ) -> Team | MembershipRefusal:
        """Writes role, member and mail."""
        return await self._settled(partial(self._add, team_id, user_id, inviter_id, mail))

    async def remove_member(self, team_id: str, user_id: str, mail: ComposeMailWith) -> Team | MembershipRefusal:
        """Writes role, member and mail."""
        return await self._settled(partial(self._remove, team_id, user_id, mail))

    async def _settled(self, change: Callable[[AsyncConnection], Awaitable[Team]]) -> Team | MembershipRefusal:
        try:
            async with refusing(self._database.write()) as connection:
                team = await change(connection)
        except _Undone as undone:
            return undone.why
        self._mail_requests.wake()
        return team

    async def _create(self, captain_id: str, new: Changes, connection: AsyncConnection) -> Team:
        team_id, at = str(uuid.uuid4()), self._clock()
        if not await inserted(connection, teams, {"id": team_id, **new}, at, unless="name"):
            raise AlreadyThere("another team has the name")
        await _username(connection, captain_id)
        await team_rows.add_member(connection, team_id, captain_id, CAPTAIN, at)
        await team_rows.add_roles(connection, team_id, new["name"], await _subject(connection, captain_id), at)
        return await _shown(connection, await _team(connection, team_id))

    async def _add(
        self, team_id: str, user_id: str, inviter_id: str, mail: ComposeMailWith, connection: AsyncConnection
    ) -> Team:
        role_id = await team_rows.lock_role_of_members(connection, team_id)
        team = await _team(connection, team_id)
        _, inviter = [await _username(connection, one) for one in (user_id, inviter_id)]
        await _join(connection, team_id, user_id, role_id, self._clock())
        to = await team_rows.addressees(connection, users.c.id == user_id)
        await self._tell(connection, to, mail, {"inviter": inviter, "team": team.name})
        return await _shown(connection, team)

    async def _remove(self, team_id: str, user_id: str, mail: ComposeMailWith, connection: AsyncConnection) -> Team:
        role_id = await team_rows.lock_role_of_members(connection, team_id)
        team = await _team(connection, team_id)
        await _username(connection, user_id)
        await _leave(connection, team_id, user_id, role_id)
        to = await team_rows.addressees(connection, users.c.id == user_id)
        await self._tell(connection, to, mail, {"team": team.name})
        return await _shown(connection, team)

    async def _tell(
        self, connection: AsyncConnection, to: Sequence[Addressee], mail: ComposeMailWith, told: Mapping[str, str]
    ) -> None:
        for one in to:
            await self._mail_requests.put(connection, mail(one, told))


async def _join(connection: AsyncConnection, team_id: str, user_id: str, role_id: str | None, at: datetime) -> None:
    """The monolith may have written since the role was read: the constraint decides."""
    if await team_rows.role_in(connection, team_id, user_id) is not None:
        raise _Undone(MembershipRefusal.ALREADY_MEMBER)
    subject_id = await _subject(connection, user_id)
    if role_id is None:
        raise ValueRefused("the team has no role for its members")
    await give_role(connection, subject_id, role_id, at)
    if not await team_rows.add_member(connection, team_id, user_id, MEMBER, at):
        raise _Undone(MembershipRefusal.ALREADY_MEMBER)


async def _leave(connection: AsyncConnection, team_id: str, user_id: str, role_id: str | None) -> None:
    """The monolith may have written since the role was read: the condition decides."""
    role = await team_rows.role_in(connection, team_id, user_id)
    if role != MEMBER:
        raise _Undone(MembershipRefusal.NOT_MEMBER if role is None else MembershipRefusal.CAPTAIN)
    await team_rows.take_role(connection, await _subject(connection, user_id), role_id)
    if not await team_rows.remove_member(connection, team_id, user_id):
        raise _Undone(MembershipRefusal.NOT_MEMBER)


async def _shown(connection: AsyncConnection, team: Row[Any]) -> Team:
    return (await with_members(connection, [team]))[0]


async def _found(connection: AsyncConnection, team_id: str) -> Row[Any] | None:
    team: Row[Any] | None = (await connection.execute(select(teams).where(teams.c.id == team_id))).first()
    return team


async def _team(connection: AsyncConnection, team_id: str) -> Row[Any]:
    team = await _found(connection, team_id)
    if team is None:
        raise _Undone(MembershipRefusal.UNKNOWN)
    return team


async def _username(connection: AsyncConnection, user_id: str) -> str:
    """Locks the user's row against deletion until the transaction ends."""
    held = select(users.c.username).where(users.c.id == user_id).with_for_update(read=True, key_share=True)
    name: str | None = await connection.scalar(held)
    if name is None:
        raise _Undone(MembershipRefusal.UNKNOWN)
    return name


async def _subject(connection: AsyncConnection, user_id: str) -> str:
    subject_id = await team_rows.subject_of(connection, user_id)
    if subject_id is None:
        raise _Undone(MembershipRefusal.UNKNOWN)
    return subject_id


async def _others(connection: AsyncConnection, team_id: str, user_id: str) -> Sequence[Addressee]:
    members = select(team_members.c.user_id).where(team_members.c.team_id == team_id)
    return await team_rows.addressees(connection, users.c.id.in_(members), users.c.id != user_id)
