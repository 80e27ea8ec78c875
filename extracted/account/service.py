"""The use cases of Account, and the ports that they need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extracted.account.domain import (
    DEFAULT_SETTINGS,
    Changes,
    Compat,
    Ranked,
    Selected,
    Selection,
    Settings,
    Team,
    User,
)


class Users(Protocol):
    """Where users are kept. Ids in canonical form."""

    async def find(self, user_id: str) -> Ranked | None:
        """With the rank of now."""
        ...

    async def select(self, selection: Selection) -> Selected[User]:
        """By `username` and `points`; without an order, in that of the store."""
        ...

    async def change(self, user_id: str, changes: Changes) -> User | None:
        """`username`, `description`, at once or not at all; None: there is none. Raises NameTaken, Refused."""
        ...

    async def delete(self, user_id: str) -> bool:
        """With memberships and purchases; False: there is none."""
        ...

    async def teams(self, user_id: str) -> Sequence[str] | None:
        """Ids of the teams that the user is in; None: there is no such user."""
        ...


class UserSettings(Protocol):
    """Where settings are kept: one record a user."""

    async def find(self, user_id: str) -> Settings | None:
        """None: there is no such user, or no more."""
        ...

    async def change(self, user_id: str, changes: Changes) -> Settings | None:
        """`editing_language`, `language`. Raises Refused."""
        ...


class Teams(Protocol):
    """Where teams are kept."""

    async def find(self, team_id: str) -> Team | None:
        """By canonical id."""
        ...

    async def select(self, selection: Selection) -> Selected[Team]:
        """By `name`; without an order, in that of the store."""
        ...


class Roles(Protocol):
    """Where it is kept who may what."""

    async def of_user(self, user_id: str) -> tuple[str, ...]:
        """As of now; none where there is no such user, or never was."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """What Account does, in one of two ways where the monolith is known to be wrong."""

    users: Users
    settings: UserSettings
    teams: Teams
    roles: Roles
    compat: Compat = Compat.STRICT

    async def roles_of(self, user_id: str) -> tuple[str, ...]:
        """As of now, not as of some seconds ago."""
        return await self.roles.of_user(user_id)

    async def reset_settings(self, user_id: str) -> Settings | None:
        """To what a user starts with. The monolith looks for them under a wrong id: it never finds any (fault F16)."""
        if self.compat is Compat.STRICT:
            return None
        return await self.settings.change(user_id, DEFAULT_SETTINGS)
