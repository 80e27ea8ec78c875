"""What the use cases of teams need from outside. Ids are in canonical form; stores raise StoreUnavailable."""

from typing import Protocol

from extracted.account.domain import Changes, ListPage, PageQuery
from extracted.account.mail_requests.domain import ComposeMailWith
from extracted.account.teams.domain import MembershipRefusal, Team


class TeamStore(Protocol):
    """Where teams are read."""

    async def find(self, team_id: str) -> Team | None:
        """None: no such team."""
        ...

    async def select(self, query: PageQuery) -> ListPage[Team]:
        """By `name`; if the query names no order, in the store's own."""
        ...


class TeamChanges(Protocol):
    """Where teams are changed. Each call does all or nothing, its mail included."""

    async def create(self, captain_id: str, new: Changes) -> Team | MembershipRefusal:
        """Takes `name` and `description`; adds roles and policies. Raises AlreadyThere, ValueRefused."""
        ...

    async def change(self, team_id: str, changes: Changes) -> Team | None:
        """Changes `name` and `description`. None: no such team. Raises NameTaken, ValueRefused."""
        ...

    async def delete(self, team_id: str, by: str, mail: ComposeMailWith | None) -> bool:
        """Deletes roles and memberships, too; sends `mail` (team) to all members but `by`. False: no such team."""
        ...

    async def add_member(
        self, team_id: str, user_id: str, inviter_id: str, mail: ComposeMailWith
    ) -> Team | MembershipRefusal:
        """Adds the user at once and sends it `mail` (inviter, team). Raises ValueRefused."""
        ...

    async def remove_member(self, team_id: str, user_id: str, mail: ComposeMailWith) -> Team | MembershipRefusal:
        """Removes anybody but the captain and sends `mail` (team) to the user."""
        ...
