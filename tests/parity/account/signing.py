"""Sign-ups and e-mails on both sides: {id:ADDRESS}, {token:ADDRESS} and {user:NAME} stand for each side's own."""

import json
import re
from dataclasses import dataclass, field

from chassis.auth.claims import AuthenticationOutcome, Identity
from examples.monolith.storage import tables
from tests.parity.account.twins import Twins, asked_for, named, roles_of
from tests.parity.sides import JSON, without_ids
from tests.unit.extracted.running import ask

PASSWORD = "correct horse 9"
NAMED = re.compile(r"\{(id|token|user):([^}]+)\}")
TOKEN = re.compile(r"/email/verification/([0-9a-f-]{36})")


@dataclass(frozen=True)
class Signing(Twins):
    """`known`: credential and identity of those who signed up here, by name."""

    default_method = "POST"
    masked = staticmethod(without_ids)
    known: dict[str, tuple[str, Identity]] = field(default_factory=dict)

    def sign_up(self, name: str, **more: object) -> str:
        """What differs; the newcomer can be an actor from then on."""
        body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"} | more
        return self.differ("nobody", "/user", body=body) or self.log_in(name)

    def log_in(self, name: str) -> str:
        """At the monolith; to Account the gateway tells the roles that the tables say."""
        asked = {"grantType": "implicit", "identity": f"{name}@example.org", "secret": PASSWORD}
        sent = ask(self.monolith_port, "/auth/token", "POST", JSON, json.dumps(asked).encode())
        if sent.status != 201:
            return f"the monolith does not let {name} in: {sent.status}"
        copy = self.files[1]
        user_id = named(copy, tables.users, "username", name)["id"]
        identity = Identity(AuthenticationOutcome.USER, user_id, tuple(sorted(roles_of(copy, user_id))))
        self.known[name] = f"Bearer {json.loads(sent.body)['data']['accessToken']}", identity
        return ""

    def mailed(self, address: str, count: int) -> tuple[list[str], list[str]]:
        """The tokens in the first mails to an address: those sent by the monolith, those asked for by Account."""
        sent = [TOKEN.findall(mail.html)[0] for mail in self.sink.to(address, count)]
        asked = [mail["variables"]["token"] for mail in asked_for(self.files[1]) if mail["recipient"] == address]
        return sent, asked[:count]

    def who(self, actor: str) -> tuple[str, Identity]:
        return self.known[actor] if actor in self.known else super().who(actor)

    def resolved(self, side: int, text: str) -> str:
        file = self.files[side]

        def found(match: re.Match[str]) -> str:
            if match[1] == "user":
                return str(named(file, tables.users, "username", match[2])["id"])
            row = named(file, tables.user_emails, "email", match[2])
            return str(row["id"] if match[1] == "id" else row["verification_token"])

        return NAMED.sub(found, text)
