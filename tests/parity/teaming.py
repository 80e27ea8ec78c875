"""Teams on both sides: their ids differ there, so targets, bodies, rows and mails go by names."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from examples.monolith.storage import tables
from tests.parity.sides import difference
from tests.parity.signing import asked_for, masked, roles_of
from tests.parity.twins import JSON, Twins
from tests.recordings.mail_sink import MailSink, read_html
from tests.support.monolith_file import MonolithData
from tests.unit.extracted.running import Answer, ask

NAMED = re.compile(r"<<([^<>]+)>>")
ROLE = re.compile(r"team::(.+)::(captain|member)")
TEXTS = {
    "team_joined": ("Added to a team", "{inviter} added you in {team} team."),
    "team_left": ("Removed from a team", "You are no longer a member of the {team} team"),
}
Told = tuple[str, str, str]
"""Subject, address, sentence."""


@dataclass(frozen=True)
class Teaming:
    """`<<NAME>>` in targets and bodies is the id of the user or team of that name, or of the twins' `ids`."""

    twins: Twins
    sink: MailSink
    known: dict[tuple[int, str], str] = field(default_factory=dict)

    def add_user(self, name: str, *roles: str, emails: int = 1) -> None:
        """On both sides, and an actor from then on; verified, unless `roles` say otherwise."""
        monolith, copy = self.twins.files
        user = monolith.add_user(*(roles or ("guest", "user")), username=name)
        copy.add_user(*(roles or ("guest", "user")), username=name, user_id=user)
        for file in self.twins.files:
            for index in range(emails):
                file.add_email(user, f"{name}-{index}@example.org".lower())
        self.twins.ids[name] = user  # type: ignore[index]  # a dict to us
        self.twins.credentials[name] = f"Bearer {monolith.login(user)}"  # type: ignore[index]

    def both(
        self, actor: str, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Answer, Answer]:
        """A body that is no bytes goes as JSON."""
        sent = dict(headers or {}) | (JSON if body is not None and headers is None else {})
        credential = self.twins.credentials[actor]
        own = {"Authorization": credential} if credential else {}
        old, new = (self._resolved(side, target, body) for side in (0, 1))
        identity = self._identity(actor)
        return (
            ask(self.twins.monolith_port, old[0], method, own | sent, old[1]),
            self.twins.account.ask(new[0], identity, method=method, headers=sent, body=new[1]),
        )

    def differ(
        self, actor: str, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """What differs besides the values of ids; "" when nothing does."""
        return difference(*map(masked, self.both(actor, method, target, body, headers)))

    def does(self, actor: str, method: str, target: str, body: object = None) -> int:
        """The status, where both sides say the same and have written the same."""
        old, new = self.both(actor, method, target, body)
        assert difference(masked(old), masked(new)) == ""
        assert self.unlike() == []
        return new.status

    def unlike(self) -> list[str]:
        """What the rows of one side say, and those of the other do not."""
        monolith, account = map(told, self.twins.files)
        return sorted(((monolith - account) + (account - monolith)).elements())

    def asked(self) -> Counter[Told]:
        """The mails that Account has asked for."""
        mails = [mail for mail in asked_for(self.twins.files[1]) if mail["kind"] in TEXTS]
        return Counter(as_sent(mail) for mail in mails)

    def sent(self, wanted: Counter[Told]) -> Counter[Told]:
        """The mails of the monolith; to each address as many as are wanted are waited for."""
        for address, count in Counter(address for _, address, _ in wanted.elements()).items():
            self.sink.to(address, count)
        return Counter(
            (mail.subject, mail.recipients[0], next(line for line in read_html(mail.html)[0] if "team" in line))
            for mail in self.sink.mails
        )

    def _identity(self, actor: str) -> Identity:
        """With the roles of now, as Account's own rows say."""
        credential = self.twins.credentials[actor]
        if actor not in self.twins.ids:
            return self.twins.identity(credential) if credential else NOBODY
        user_id = self.twins.ids[actor]
        return Identity(AuthenticationOutcome.USER, user_id, tuple(sorted(roles_of(self.twins.files[1], user_id))))

    def _resolved(self, side: int, target: str, body: object) -> tuple[str, bytes | None]:
        def found(match: re.Match[str]) -> str:
            return self._id(side, match[1])

        text = None if body is None or isinstance(body, bytes) else NAMED.sub(found, json.dumps(body)).encode()
        return NAMED.sub(found, target), body if isinstance(body, bytes) else text

    def _id(self, side: int, name: str) -> str:
        """Found once: it is asked for after the team is gone, too."""
        if name in self.twins.ids:
            return self.twins.ids[name]
        if (side, name) not in self.known:
            rows = self.twins.files[side].rows(tables.teams)
            self.known[side, name] = next(row["id"] for row in rows if row["name"] == name)
        return self.known[side, name]


def told(file: MonolithData) -> Counter[str]:
    """All that the rows of teams say, ids of teams replaced by names; of times, whether it was changed later."""
    names = {row["id"]: row["name"] for row in file.rows(tables.teams)}
    roles = {row["id"]: _role(row["name"], names) for row in file.rows(tables.auth_roles)}
    subjects = {row["id"]: row["internal_identifier"] for row in file.rows(tables.auth_subjects)}

    def policy(row: Mapping[str, Any]) -> object:
        attributes = {name: names.get(value, value) for name, value in (row["attributes"] or {}).items()}
        return roles[row["role_id"]], row["action"], row["resource"], attributes

    facts: list[object] = [(row["name"], row["description"], _same(row)) for row in file.rows(tables.teams)]
    members = file.rows(tables.team_members)
    facts += [(names[row["team_id"]], row["user_id"], row["role"], _same(row)) for row in members]
    facts += [(roles[row["id"]], _untold(row["description"]), _same(row)) for row in file.rows(tables.auth_roles)]
    facts += [policy(row) for row in file.rows(tables.auth_role_policies)]
    facts += [(subjects[row["subject_id"]], roles[row["role_id"]]) for row in file.rows(tables.auth_subject_roles)]
    return Counter(map(repr, facts))


def _role(name: str, teams: Mapping[str, str]) -> tuple[str, ...]:
    found = ROLE.fullmatch(name)
    return (teams.get(found[1], "?"), found[2]) if found else (name,)


def _untold(description: str) -> str:
    """Roles that tests have made are described by their name, which has an id in it."""
    return "" if ROLE.fullmatch(description) else description


def _same(row: Mapping[str, Any]) -> bool:
    return bool(row["created_at"] == row["updated_at"])


def as_sent(mail: Mapping[str, Any]) -> Told:
    """What the monolith would have sent for what Account asks for."""
    subject, text = TEXTS[mail["kind"]]
    return subject, mail["recipient"], text.format(**mail["variables"])
