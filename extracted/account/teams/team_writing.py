"""The use case of teams that change: what is written, and what is told to those whom it concerns."""

from dataclasses import dataclass
from typing import Protocol

from extracted.account import mails
from extracted.account.domain import Changes, Compat, Team, Unfit, WriteOf


class TeamWrites(Protocol):
    """Where teams are kept. Ids in canonical form; each call all or nothing, its mail included."""

    async def create(self, captain_id: str, new: Changes) -> Team | Unfit:
        """Of `name` and `description`, with roles and policies. Raises Taken, Refused."""
        ...

    async def change(self, team_id: str, changes: Changes) -> Team | None:
        """`name`, `description`; None: there is none. Raises NameTaken, Refused."""
        ...

    async def delete(self, team_id: str, by: str, mail: WriteOf | None) -> bool:
        """With roles and memberships; `mail` (team) to all members but `by`. False: there is none."""
        ...

    async def add_member(self, team_id: str, user_id: str, inviter_id: str, mail: WriteOf) -> Team | Unfit:
        """At once; `mail` (inviter, team) to the user. Raises Refused."""
        ...

    async def remove_member(self, team_id: str, user_id: str, mail: WriteOf) -> Team | Unfit:
        """Anybody but the captain; `mail` (team) to the user."""
        ...


@dataclass(frozen=True, slots=True)
class TeamWriting:
    """What Account does with teams, and whom it tells."""

    writes: TeamWrites
    compat: Compat = Compat.STRICT

    async def create(self, captain_id: str, new: Changes) -> Team | Unfit:
        """Raises Taken, Refused."""
        return await self.writes.create(captain_id, {"description": None, **new})

    async def change(self, team_id: str, changes: Changes) -> Team | None:
        """Raises NameTaken, Refused."""
        return await self.writes.change(team_id, changes)

    async def delete(self, team_id: str, by: str) -> bool:
        """The monolith tells nobody."""
        mail = None if self.compat is Compat.STRICT else mails.of_kind("team_dissolved", self.compat)
        return await self.writes.delete(team_id, by, mail)

    async def add_member(self, team_id: str, user_id: str, inviter_id: str) -> Team | Unfit:
        """Nothing has to be accepted. Raises Refused."""
        mail = mails.of_kind("team_joined", self.compat)
        return await self.writes.add_member(team_id, user_id, inviter_id, mail)

    async def remove_member(self, team_id: str, user_id: str) -> Team | Unfit:
        """Sent away or gone by itself: the mail is the same."""
        return await self.writes.remove_member(team_id, user_id, mails.of_kind("team_left", self.compat))
