"""The use cases that change teams: what is written, and who gets a mail about it."""

from dataclasses import dataclass

from extracted.account.domain import Changes, Compat
from extracted.account.mail_requests.domain import of_kind
from extracted.account.teams.domain import MembershipRefusal, Team
from extracted.account.teams.ports import TeamChanges


@dataclass(frozen=True, slots=True)
class TeamService:
    """Needs a broker: nearly every change sends mail."""

    changes: TeamChanges
    compat: Compat

    async def create(self, captain_id: str, new: Changes) -> Team | MembershipRefusal:
        """Raises AlreadyThere, ValueRefused."""
        return await self.changes.create(captain_id, {"description": None, **new})

    async def change(self, team_id: str, changes: Changes) -> Team | None:
        """None: no such team. Raises NameTaken, ValueRefused."""
        return await self.changes.change(team_id, changes)

    async def delete(self, team_id: str, by: str) -> bool:
        """The monolith tells nobody."""
        mail = None if self.compat is Compat.STRICT else of_kind("team_dissolved", self.compat)
        return await self.changes.delete(team_id, by, mail)

    async def add_member(self, team_id: str, user_id: str, inviter_id: str) -> Team | MembershipRefusal:
        """The user need not accept. Raises ValueRefused."""
        return await self.changes.add_member(team_id, user_id, inviter_id, of_kind("team_joined", self.compat))

    async def remove_member(self, team_id: str, user_id: str) -> Team | MembershipRefusal:
        """The mail is the same whether the captain removed the user or the user left."""
        return await self.changes.remove_member(team_id, user_id, of_kind("team_left", self.compat))
