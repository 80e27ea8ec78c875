"""Who may read and change what (contract §3.2)."""

import pytest

from extracted.account import domain

TEAM = "b4f1c9f0-0d0c-4d3e-8d4b-5a7c2f1e9d10"
ROLES = {
    "none": (),
    "guest": ("guest",),
    "user": ("guest", "user"),
    "admin": ("admin",),
    "captain": ("guest", f"team::{TEAM}::captain", f"team::{TEAM}::member"),
    "member": ("guest", f"team::{TEAM}::member"),
    "alike": ("Admin", "users", f"team::{TEAM}::captain::admin"),
}


@pytest.mark.parametrize(
    ("who", "users", "own_user", "change_own", "own_settings", "others_settings", "team"),
    [
        ("none", False, False, False, False, False, False),
        ("guest", False, True, False, True, False, False),
        ("user", True, True, True, True, False, True),
        ("admin", True, True, True, True, True, True),
        ("captain", False, True, False, True, False, True),
        ("member", False, True, False, True, False, False),
        ("alike", False, False, False, False, False, False),
    ],
)
def test_rights(
    who: str, users: bool, own_user: bool, change_own: bool, own_settings: bool, others_settings: bool, team: bool
) -> None:
    roles = ROLES[who]
    assert domain.may_read_users(roles) is domain.may_read_user(roles, own=False) is users
    assert domain.may_read_user(roles, own=True) is own_user
    assert domain.may_change_user(roles, own=True) is change_own
    assert domain.may_change_user(roles, own=False) is (who == "admin")
    assert domain.may_read_settings(roles, own=True) is own_settings
    assert domain.may_read_settings(roles, own=False) is others_settings
    assert domain.may_read_team(roles, TEAM) is team


def test_a_captain_reads_its_own_team_alone_and_by_its_id_as_it_is() -> None:
    assert not domain.may_read_team(ROLES["captain"], TEAM.upper())
    assert not domain.may_read_team(ROLES["captain"], TEAM.replace("b4f1", "b4f2"))
