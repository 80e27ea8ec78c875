"""Who may change teams (contract §3.2), and in what language mail tells of it."""

import asyncio
from collections.abc import Mapping

import pytest

from extracted.account import domain
from extracted.account.domain import Addressee, Compat, MailAsked, Team, WriteOf
from extracted.account.teams.team_writing import TeamWriting

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


@pytest.mark.parametrize(
    ("who", "create", "change", "remove_others", "leave"),
    [
        ("none", False, False, False, False),
        ("guest", False, False, False, False),
        ("user", True, False, False, True),
        ("admin", True, True, True, True),
        ("captain", False, True, True, True),
        ("member", False, False, False, False),
        ("verified member", True, False, False, True),
        ("alike", False, False, False, False),
    ],
)
def test_rights(who: str, create: bool, change: bool, remove_others: bool, leave: bool) -> None:
    roles = ROLES[who]
    assert domain.may_create_team(roles) is create
    assert domain.may_change_team(roles, TEAM) is change
    assert domain.may_remove_member(roles, TEAM, own=False) is remove_others
    assert domain.may_remove_member(roles, TEAM, own=True) is leave


def test_a_captain_changes_its_own_team_alone_and_by_its_id_as_it_is() -> None:
    for other in (TEAM.upper(), TEAM.replace("b4f1", "b4f2"), f"{TEAM}::captain", ""):
        assert not domain.may_change_team(ROLES["captain"], other)


class Kept:
    """The port, which keeps what it is asked to tell."""

    def __init__(self) -> None:
        self.mails: list[WriteOf | None] = []

    async def create(self, captain_id: str, new: domain.Changes) -> Team:
        return Team(captain_id, str(new["name"]), new["description"])

    async def change(self, team_id: str, changes: domain.Changes) -> None:
        raise NotImplementedError

    async def delete(self, team_id: str, by: str, mail: WriteOf | None) -> bool:
        self.mails.append(mail)
        return True

    async def add_member(self, team_id: str, user_id: str, inviter_id: str, mail: WriteOf) -> Team:
        self.mails.append(mail)
        return Team(team_id, "Red", None)

    async def remove_member(self, team_id: str, user_id: str, mail: WriteOf) -> Team:
        self.mails.append(mail)
        return Team(team_id, "Red", None)


def written(compat: Compat, to: Addressee, told: Mapping[str, str]) -> list[MailAsked | None]:
    kept = Kept()

    async def run() -> None:
        writing = TeamWriting(kept, compat)
        await writing.add_member(TEAM, "bob", "ada")
        await writing.remove_member(TEAM, "bob")
        await writing.delete(TEAM, "ada")

    asyncio.run(run())
    return [mail and mail(to, told) for mail in kept.mails]


@pytest.mark.parametrize(("language", "locale"), [("fr", "fr"), ("en", "en"), (None, "en")])
def test_improved_writes_in_the_language_of_the_addressee(language: str | None, locale: str) -> None:
    to, told = Addressee(username="Bob", address="bob@example.org", language=language), {"team": "Red"}
    variables = {"username": "Bob", "team": "Red"}
    assert written(Compat.IMPROVED, to, told) == [
        MailAsked(kind, "bob@example.org", locale, variables) for kind in ("team_joined", "team_left", "team_dissolved")
    ]


def test_strict_writes_english_and_nothing_of_a_deleted_team() -> None:
    to = Addressee(username="Bob", address="bob@example.org", language="fr")
    joined, left, dissolved = written(Compat.STRICT, to, {"team": "Red"})
    assert joined is not None
    assert left is not None
    assert (joined.locale, left.locale, dissolved) == ("en", "en", None)


def test_a_team_without_description_has_none() -> None:
    assert asyncio.run(TeamWriting(Kept()).create("ada", {"name": "Red"})) == Team("ada", "Red", None)
