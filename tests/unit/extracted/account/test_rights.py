"""Who may read and change what (contract §3.2)."""

from collections.abc import Callable, Collection, Mapping

import pytest

from extracted.account.domain import may_read_all
from extracted.account.teams.domain import may_change_team, may_create_team, may_read_team, may_remove_member
from extracted.account.users.domain import may_change_user, may_read_settings, may_read_user

TEAM = "b4f1c9f0-0d0c-4d3e-8d4b-5a7c2f1e9d10"
ROLES = {
    "none": (),
    "guest": ("guest",),
    "user": ("guest", "user"),
    "admin": ("admin",),
    "captain": ("guest", f"team::{TEAM}::captain", f"team::{TEAM}::member"),
    "member": ("guest", f"team::{TEAM}::member"),
    "verified member": ("guest", "user", f"team::{TEAM}::member"),
    "alike": ("Admin", "users", f"team::{TEAM}::captain::admin"),
}
RIGHTS: Mapping[str, Callable[[Collection[str]], bool]] = {
    "read all": may_read_all,
    "read another user": lambda roles: may_read_user(roles, own=False),
    "read oneself": lambda roles: may_read_user(roles, own=True),
    "change oneself": lambda roles: may_change_user(roles, own=True),
    "change another user": lambda roles: may_change_user(roles, own=False),
    "read own settings": lambda roles: may_read_settings(roles, own=True),
    "read another's settings": lambda roles: may_read_settings(roles, own=False),
    "read the team": lambda roles: may_read_team(roles, TEAM),
    "create a team": may_create_team,
    "change the team": lambda roles: may_change_team(roles, TEAM),
    "remove a member": lambda roles: may_remove_member(roles, TEAM, own=False),
    "leave the team": lambda roles: may_remove_member(roles, TEAM, own=True),
}
OF_GUESTS = {"read oneself", "read own settings"}
OF_USERS = OF_GUESTS | {
    "read all", "read another user", "change oneself", "read the team", "create a team", "leave the team",
}  # fmt: skip
ALLOWED: Mapping[str, set[str]] = {
    "none": set(),
    "guest": OF_GUESTS,
    "user": OF_USERS,
    "admin": set(RIGHTS),
    "captain": OF_GUESTS | {"read the team", "change the team", "remove a member", "leave the team"},
    "member": OF_GUESTS,
    "verified member": OF_USERS,
    "alike": set(),
}


@pytest.mark.parametrize("who", ROLES)
def test_rights(who: str) -> None:
    assert {right for right, may in RIGHTS.items() if may(ROLES[who])} == ALLOWED[who]


@pytest.mark.parametrize("other", [TEAM.upper(), TEAM.replace("b4f1", "b4f2"), f"{TEAM}::captain", ""])
def test_a_captain_has_rights_in_its_own_team_alone_and_by_its_id_as_it_is(other: str) -> None:
    assert not may_read_team(ROLES["captain"], other)
    assert not may_change_team(ROLES["captain"], other)
