"""Users, their settings and e-mail addresses as values, and who may read and change them (contract §3.2)."""

from collections.abc import Collection
from dataclasses import dataclass, field

from extracted.account.domain import ADMIN, GUEST, USER, Changes, NameTaken, may_read_all

MOST_ADDRESS_CHARACTERS = 255
DEFAULT_SETTINGS: Changes = {"editing_language": "javascript", "language": "en"}
"""What a new user starts with."""


class LoginTaken(NameTaken):
    """Somebody still logs in with that e-mail address: a deleted address stays a login."""


class AlreadyVerified(Exception):
    """The e-mail address is verified, so there is nothing left to verify."""


@dataclass(frozen=True, slots=True)
class User:
    """`points` is a balance; only purchases and rewards change it."""

    id: str
    username: str
    description: str | None
    points: int


@dataclass(frozen=True, slots=True)
class RankedUser:
    """`rank`: 1 + the number of users with more points."""

    user: User
    rank: int


@dataclass(frozen=True, slots=True)
class UserSettings:
    """`editing_language` is any text; `language` is en or fr. Both may be null."""

    editing_language: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An address of a user. The login keeps the user's first address, even if that is deleted."""

    id: str
    address: str = field(repr=False)
    is_verified: bool


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user who signs up. `address` becomes the login, too; `secret` is the password's hash; `token` verifies."""

    username: str
    address: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(repr=False)


def may_read_user(roles: Collection[str], *, own: bool) -> bool:
    """A guest may read only itself."""
    return may_read_all(roles) or (own and GUEST in roles)


def may_change_user(roles: Collection[str], *, own: bool) -> bool:
    """For a user and its settings, and for deleting the user; guests may not."""
    return ADMIN in roles or (own and USER in roles)


def may_read_settings(roles: Collection[str], *, own: bool) -> bool:
    """Only administrators may read another user's settings."""
    return ADMIN in roles or (own and (USER in roles or GUEST in roles))
