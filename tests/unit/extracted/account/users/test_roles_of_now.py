"""The gateway's word about roles is some seconds old: who would be refused by it is looked up."""

import uuid

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.running import RunningService

pytestmark = pytest.mark.walk


def as_told(user_id: str, *roles: str) -> Identity:
    return Identity(AuthenticationOutcome.USER, user_id, roles)


def test_a_role_counts_from_when_it_was_given(account: RunningService, monolith: MonolithData) -> None:
    other, user = monolith.add_user("guest"), monolith.add_user("guest")
    told = as_told(user, "guest")
    assert account.ask(f"/user/{other}", told).status == 403
    monolith.give_role(user, "user")
    assert account.ask(f"/user/{other}", told).status == 200
    assert account.ask("/user", told).status == 200


def test_who_has_just_become_captain_reads_the_team(account: RunningService, monolith: MonolithData) -> None:
    captain, another = monolith.add_user("guest"), monolith.add_user("guest")
    team = monolith.add_team(f"team-{uuid.uuid4().hex[:8]}", captain)
    assert account.ask(f"/team/{team}", as_told(captain, "guest")).status == 403
    monolith.give_role(captain, f"team::{team}::captain")
    assert account.ask(f"/team/{team}", as_told(captain, "guest")).status == 200
    assert account.ask(f"/team/{team}", as_told(another, "guest")).status == 403


def test_who_was_never_a_user_has_no_roles(account: RunningService) -> None:
    assert account.ask("/user", as_told(str(uuid.uuid4()), "guest")).status == 403
