"""Users, settings and teams as values, and who may read and change which of them (contract §3.2)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

GUEST, USER, ADMIN = "guest", "user", "admin"
"""Roles: of everybody who signed up, of those whose e-mail is verified, of administrators."""
CAPTAIN, MEMBER = "captain", "member"
"""Roles in a team."""
MOST_LANGUAGE_CHARACTERS = MOST_ADDRESS_CHARACTERS = 255

Changes = Mapping[str, str | None]
"""Fields of a value → what they become; what is not named stays."""


class Compat(StrEnum):
    """`strict`: the monolith's known faults are kept. `improved`: what its documentation promised."""

    STRICT = "strict"
    IMPROVED = "improved"


class Refused(Exception):
    """The store does not take a value."""


class NameTaken(Refused):
    """Another user has that name."""


class LoginTaken(NameTaken):
    """Somebody logs in with that e-mail, though nobody has it any more: who deletes one keeps it as a login."""


class Taken(Exception):
    """What is to be made is there already."""


class AlreadyVerified(Exception):
    """There is nothing left to verify."""


@dataclass(frozen=True, slots=True)
class User:
    """`points` is a balance; it is changed by purchases and rewards alone."""

    id: str
    username: str
    description: str | None
    points: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """`rank`: 1 + the number of users with more points."""

    user: User
    rank: int


@dataclass(frozen=True, slots=True)
class Settings:
    """`editing_language` is any text; `language` is en or fr. Both may be null."""

    editing_language: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class Email:
    """An address of a user; the login keeps the first one, whatever becomes of it."""

    id: str
    address: str = field(repr=False)
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where mail reaches a user; `language` is the user's wish, en or fr, or none."""

    username: str
    address: str = field(repr=False)
    language: str | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who signs up; the address becomes the login, too. `token` verifies it."""

    username: str
    address: str = field(repr=False)
    secret: str = field(repr=False)
    """The password's hash."""
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailAsked:
    """What Mailer is asked to write: `kind` and `variables` are Mailer's (its docs name them), `locale` is en or fr."""

    kind: str
    recipient: str
    locale: str
    variables: Mapping[str, str] = field(repr=False)


Write = Callable[[Addressee], MailAsked]
"""A mail, once it is known whom it goes to."""
WriteOf = Callable[[Addressee, Mapping[str, str]], MailAsked]
"""The same, once it is known too what it tells: further variables of its kind."""


DEFAULT_SETTINGS: Changes = {"editing_language": "javascript", "language": "en"}
"""What a user starts with."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a team; `role` is captain or member."""

    id: str
    username: str
    points: int
    role: str


@dataclass(frozen=True, slots=True)
class Team:
    """Members in no particular order."""

    id: str
    name: str
    description: str | None
    members: tuple[Member, ...] = ()


class Unfit(StrEnum):
    """Why nobody joined or left a team. UNKNOWN: the team, or one of the users, is not there."""

    UNKNOWN = "unknown"
    ALREADY_MEMBER = "already a member"
    NOT_MEMBER = "not a member"
    CAPTAIN = "captain"


@dataclass(frozen=True, slots=True)
class Selection:
    """A page. `containing`: field → text in it, in any case, % and _ being wild; `descending`: field → direction."""

    offset: int
    limit: int
    containing: Mapping[str, str] = field(default_factory=dict)
    descending: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selected(Generic[T]):
    """One page, and how many there are on all of them."""

    values: Sequence[T]
    total: int


def may_read_users(roles: Collection[str]) -> bool:
    """Any user, and any team."""
    return USER in roles or ADMIN in roles


def may_read_user(roles: Collection[str], *, own: bool) -> bool:
    """A guest reads itself alone."""
    return may_read_users(roles) or (own and GUEST in roles)


def may_change_user(roles: Collection[str], *, own: bool) -> bool:
    """A user and its settings, deleting included; guests may not."""
    return ADMIN in roles or (own and USER in roles)


def may_read_settings(roles: Collection[str], *, own: bool) -> bool:
    """Nobody else's but for administrators."""
    return ADMIN in roles or (own and (USER in roles or GUEST in roles))


def may_read_team(roles: Collection[str], team_id: str) -> bool:
    """Its captain may even when the e-mail is not verified."""
    return may_read_users(roles) or role_in_team(team_id, CAPTAIN) in roles


def may_create_team(roles: Collection[str]) -> bool:
    """Who may is its captain."""
    return USER in roles or ADMIN in roles


def may_change_team(roles: Collection[str], team_id: str) -> bool:
    """The team itself, deleting included, and who is in it."""
    return ADMIN in roles or role_in_team(team_id, CAPTAIN) in roles


def may_remove_member(roles: Collection[str], team_id: str, *, own: bool) -> bool:
    """A verified user may leave."""
    return may_change_team(roles, team_id) or (own and USER in roles)


def role_in_team(team_id: str, role: str) -> str:
    """The role of the captain or of the members of one team, as the monolith names it."""
    return f"team::{team_id}::{role}"
