"""What modules, contents and submissions share: roles, the two ways of `compat`, pages of a list, refusals."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

USER, ADMIN = "user", "admin"
"""Roles: of those whose e-mail is verified, of administrators."""


class Compat(StrEnum):
    """`strict` keeps the monolith's known faults; `improved` does what its documentation promised."""

    STRICT = "strict"
    IMPROVED = "improved"


class NotFound(Exception):
    """What the request names does not exist."""


class ValueRefused(Exception):
    """The monolith, or the store, does not take a value. The monolith catches that failure."""


class Unexpected(Exception):
    """The monolith fails here without catching it."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which page of a list. `matching`: field → regular expression that occurs in its text.

    `equal`: field → texts, one of which it is. `tags`: the list of tags has one of them; None: any tags.
    `descending`: field → direction, in the order of sorting.
    """

    offset: int
    limit: int
    matching: Mapping[str, str] = field(default_factory=dict)
    equal: Mapping[str, Collection[str]] = field(default_factory=dict)
    tags: Collection[str] | None = None
    descending: Mapping[str, bool] = field(default_factory=dict)


def may_read(roles: Collection[str]) -> bool:
    """Verified users and administrators read modules and contents, and submit code."""
    return USER in roles or ADMIN in roles


def administers(roles: Collection[str]) -> bool:
    """Administrators write modules and contents."""
    return ADMIN in roles
