"""Teams and their members as values, and who may read and change them (contract §3.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from extracted.account.domain import ADMIN, USER, may_read_all

CAPTAIN, MEMBER = "captain", "member"
"""Roles in a team."""


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


class MembershipRefusal(StrEnum):
    """Why nobody joined or left a team. UNKNOWN: the team or one of the users does not exist."""

    UNKNOWN = "unknown"
    ALREADY_MEMBER = "already a member"
    NOT_MEMBER = "not a member"
    CAPTAIN = "captain"


def may_read_team(roles: Collection[str], team_id: str) -> bool:
    """The captain may read its team even if the captain's e-mail address is not verified."""
    return may_read_all(roles) or role_in_team(team_id, CAPTAIN) in roles


def may_create_team(roles: Collection[str]) -> bool:
    """Whoever creates a team is its captain."""
    return USER in roles or ADMIN in roles


def may_change_team(roles: Collection[str], team_id: str) -> bool:
    """For the team and its members, and for deleting the team."""
    return ADMIN in roles or role_in_team(team_id, CAPTAIN) in roles


def may_remove_member(roles: Collection[str], team_id: str, *, own: bool) -> bool:
    """A verified user may leave."""
    return may_change_team(roles, team_id) or (own and USER in roles)


def role_in_team(team_id: str, role: str) -> str:
    """The role of the captain or of the members of one team, as the monolith names it."""
    return f"team::{team_id}::{role}"
