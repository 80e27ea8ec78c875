"""Teams on both sides: `<<NAME>>` stands for the id of that user or team, or of the twins' `ids`."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chassis.auth.claims import AuthenticationOutcome, Identity
from examples.monolith.storage import tables
from tests.parity.account.twins import Twins, asked_for, named, roles_of
from tests.parity.sides import difference, without_ids
from tests.recordings.mail_sink import read_html

NAMED = re.compile(r"<<([^<>]+)>>")
TEXTS = {
    "team_joined": ("Added to a team", "{inviter} added you in {team} team."),
    "team_left": ("Removed from a team", "You are no longer a member of the {team} team"),
}
Told = tuple[str, str, str]
"""Subject, address, sentence."""


@dataclass(frozen=True)
class Teaming(Twins):
    """`known`: ids of teams by side and name, which stay known after the team is gone."""

    masked = staticmethod(without_ids)
    known: dict[tuple[int, str], str] = field(default_factory=dict)

    def with_actors(self) -> Self:
        """With three users who have e-mails, and one who has none."""
        for name in ("Ada", "Bob", "Eve"):
            self.add_user(name, emails=2)
        self.add_user("Silent", emails=0)
        return self

    def add_user(self, name: str, *roles: str, emails: int = 1) -> None:
        """On both sides, and an actor from then on; verified, unless `roles` say otherwise."""
        monolith, copy = self.files
        user = monolith.add_user(*(roles or ("guest", "user")), username=name)
        copy.add_user(*(roles or ("guest", "user")), username=name, user_id=user)
        for file in self.files:
            for index in range(emails):
                file.add_email(user, f"{name}-{index}@example.org".lower())
        self.ids[name] = user
        self.credentials[name] = f"Bearer {monolith.login(user)}"

    def does(self, actor: str, method: str, target: str, body: object = None) -> int:
        """The status, when both sides answer and write the same."""
        old, new = self.both(actor, target, method, body)
        assert difference(without_ids(old), without_ids(new)) == ""
        assert self.unlike() == []
        return new.status

    def asked(self) -> Counter[Told]:
        """The mails that Account has asked for."""
        mails = [mail for mail in asked_for(self.files[1]) if mail["kind"] in TEXTS]
        return Counter(as_sent(mail) for mail in mails)

    def sent(self, wanted: Counter[Told]) -> Counter[Told]:
        """The mails of the monolith; to each address as many as are wanted are waited for."""
        for address, count in Counter(address for _, address, _ in wanted.elements()).items():
            self.sink.to(address, count)
        return Counter(
            (mail.subject, mail.recipients[0], next(line for line in read_html(mail.html)[0] if "team" in line))
            for mail in self.sink.mails
        )

    def who(self, actor: str) -> tuple[str, Identity]:
        """With the roles of now, as Account's own rows say."""
        if actor not in self.ids:
            return super().who(actor)
        user_id = self.ids[actor]
        roles = tuple(sorted(roles_of(self.files[1], user_id)))
        return self.credentials[actor], Identity(AuthenticationOutcome.USER, user_id, roles)

    def resolved(self, side: int, text: str) -> str:
        return NAMED.sub(lambda match: self._id(side, match[1]), text)

    def _id(self, side: int, name: str) -> str:
        if name in self.ids:
            return self.ids[name]
        if (side, name) not in self.known:
            self.known[side, name] = str(named(self.files[side], tables.teams, "name", name)["id"])
        return self.known[side, name]


def as_sent(mail: Mapping[str, Any]) -> Told:
    """What the monolith would have sent for what Account asks for."""
    subject, text = TEXTS[mail["kind"]]
    return subject, mail["recipient"], text.format(**mail["variables"])
