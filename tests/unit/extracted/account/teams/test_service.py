"""Which mail a change of a team asks for, and in what language."""

import asyncio
from collections.abc import Mapping

import pytest

from extracted.account.domain import Changes, Compat
from extracted.account.mail_requests.domain import Addressee, ComposeMailWith, MailRequest
from extracted.account.teams.domain import Team
from extracted.account.teams.service import TeamService

TEAM = "b4f1c9f0-0d0c-4d3e-8d4b-5a7c2f1e9d10"


class Kept:
    """The port, which keeps what it is asked to tell."""

    def __init__(self) -> None:
        self.mails: list[ComposeMailWith | None] = []

    async def create(self, captain_id: str, new: Changes) -> Team:
        return Team(captain_id, str(new["name"]), new["description"])

    async def change(self, team_id: str, changes: Changes) -> None:
        raise NotImplementedError

    async def delete(self, team_id: str, by: str, mail: ComposeMailWith | None) -> bool:
        self.mails.append(mail)
        return True

    async def add_member(self, team_id: str, user_id: str, inviter_id: str, mail: ComposeMailWith) -> Team:
        self.mails.append(mail)
        return Team(team_id, "Red", None)

    async def remove_member(self, team_id: str, user_id: str, mail: ComposeMailWith) -> Team:
        self.mails.append(mail)
        return Team(team_id, "Red", None)


def written(compat: Compat, to: Addressee, told: Mapping[str, str]) -> list[MailRequest | None]:
    kept = Kept()

    async def run() -> None:
        writing = TeamService(kept, compat)
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
        MailRequest(kind, "bob@example.org", locale, variables)
        for kind in ("team_joined", "team_left", "team_dissolved")
    ]


def test_strict_writes_english_and_nothing_of_a_deleted_team() -> None:
    to = Addressee(username="Bob", address="bob@example.org", language="fr")
    joined, left, dissolved = written(Compat.STRICT, to, {"team": "Red"})
    assert joined is not None
    assert left is not None
    assert (joined.locale, left.locale, dissolved) == ("en", "en", None)


def test_a_team_without_description_has_none() -> None:
    assert asyncio.run(TeamService(Kept(), Compat.STRICT).create("ada", {"name": "Red"})) == Team("ada", "Red", None)
