"""What users, teams and purchases share: roles, the two ways of `compat`, pages of a list, what a store refuses."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

GUEST, USER, ADMIN = "guest", "user", "admin"
"""Roles: of everybody who signed up, of those whose e-mail is verified, of administrators."""

Changes = Mapping[str, str | None]
"""Fields of a value → their new texts; a field that is not named stays as it is."""


class Compat(StrEnum):
    """`strict` keeps the monolith's known faults; `improved` does what its documentation promised."""

    STRICT = "strict"
    IMPROVED = "improved"


class ValueRefused(Exception):
    """The store does not take a value."""


class NameTaken(ValueRefused):
    """Another user, or another team, has that name."""


class AlreadyThere(Exception):
    """What the caller wants to create exists already."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list. `containing`: field → text that it contains, in any case, with wildcards % and _.

    `descending`: field → direction.
    """

    offset: int
    limit: int
    containing: Mapping[str, str] = field(default_factory=dict)
    descending: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """One page, and how many values there are on all pages."""

    values: Sequence[T]
    total: int


def may_read_all(roles: Collection[str]) -> bool:
    """Verified users and administrators may read any user and any team."""
    return USER in roles or ADMIN in roles
