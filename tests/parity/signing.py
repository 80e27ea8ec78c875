"""Sign-ups and e-mails on both sides: ids and tokens differ there, so targets and rows go by names."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import create_engine, text

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from examples.monolith.storage import tables
from extracted.wire import headers as wire_headers
from tests.parity.sides import difference
from tests.parity.twins import JSON, Twins
from tests.recordings.mail_sink import MailSink
from tests.support.monolith_file import MonolithData
from tests.unit.extracted.running import Answer, ask

PASSWORD = "correct horse 9"
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMED = re.compile(r"\{(id|token|user):([^}]+)\}")
TOKEN = re.compile(r"/email/verification/([0-9a-f-]{36})")
HASH = re.compile(r"\$2b\$\d\d\$.{53}")


@dataclass(frozen=True)
class Signing:
    """`known`: the credentials of those who have signed up here, by their names; one on either side."""

    twins: Twins
    sink: MailSink
    known: dict[str, tuple[str, Identity]] = field(default_factory=dict)

    def both(
        self,
        actor: str,
        target: str,
        method: str = "POST",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Answer, Answer]:
        """`target` may name what has an own id on each side: {id:ADDRESS}, {token:ADDRESS}, {user:NAME}."""
        sent = dict(headers or {}) | (JSON if body is not None and headers is None else {})
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        credential, identity = self._who(actor)
        own = {"Authorization": credential} if credential else {}
        old, new = (self._resolved(file, target) for file in self.twins.files)
        return (
            ask(self.twins.monolith_port, old, method, own | sent, content),
            self.twins.account.ask(new, identity, method=method, headers=sent, body=content),
        )

    def differ(
        self,
        actor: str,
        target: str,
        method: str = "POST",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """What differs besides the values of ids; "" when nothing does."""
        old, new = (masked(answer) for answer in self.both(actor, target, method, body, headers))
        return difference(old, new)

    def sign_up(self, name: str, **more: object) -> str:
        """What differs; the newcomer can be an actor from then on."""
        body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"} | more
        return self.differ("nobody", "/user", body=body) or self.log_in(name)

    def log_in(self, name: str) -> str:
        """At the monolith; to Account the gateway tells the roles that the tables say."""
        asked = {"grantType": "implicit", "identity": f"{name}@example.org", "secret": PASSWORD}
        sent = ask(self.twins.monolith_port, "/auth/token", "POST", JSON, json.dumps(asked).encode())
        if sent.status != 201:
            return f"the monolith does not let {name} in: {sent.status}"
        copy = self.twins.files[1]
        user_id = named(copy, tables.users, "username", name)["id"]
        identity = Identity(AuthenticationOutcome.USER, user_id, tuple(sorted(roles_of(copy, user_id))))
        self.known[name] = f"Bearer {json.loads(sent.body)['data']['accessToken']}", identity
        return ""

    def unlike(self) -> list[str]:
        """What the rows of one side say, and those of the other do not."""
        monolith, account = map(told, self.twins.files)
        return sorted(((monolith - account) + (account - monolith)).elements())

    def mailed(self, address: str, count: int) -> tuple[list[str], list[str]]:
        """The tokens in the first mails to an address: those sent by the monolith, those asked for by Account."""
        sent = [TOKEN.findall(mail.html)[0] for mail in self.sink.to(address, count)]
        asked = [mail["variables"]["token"] for mail in asked_for(self.twins.files[1]) if mail["recipient"] == address]
        return sent, asked[:count]

    def _who(self, actor: str) -> tuple[str, Identity]:
        if actor in self.known:
            return self.known[actor]
        credential = self.twins.credentials[actor]
        return credential, self.twins.identity(credential) if credential else NOBODY

    def _resolved(self, file: MonolithData, target: str) -> str:
        def found(match: re.Match[str]) -> str:
            if match[1] == "user":
                return str(named(file, tables.users, "username", match[2])["id"])
            row = named(file, tables.user_emails, "email", match[2])
            return str(row["id"] if match[1] == "id" else row["verification_token"])

        return NAMED.sub(found, target)


def masked(answer: Answer) -> Answer:
    """Without the values of ids; the ETag has to be the body's own."""
    if not UUID.search(answer.body):
        return answer
    assert answer.headers["etag"] == wire_headers.etag(answer.body).decode()
    fields = {name: value for name, value in answer.headers.items() if name != "etag"}
    return Answer(answer.status, fields, UUID.sub(b"ID", answer.body))


def named(file: MonolithData, table: Any, column: str, value: str) -> dict[str, Any]:
    """The row that has it; there is one."""
    return next(row for row in file.rows(table) if row[column] == value)


def roles_of(file: MonolithData, user_id: str) -> set[str]:
    """By the tables."""
    names = {row["id"]: str(row["name"]) for row in file.rows(tables.auth_roles)}
    subject_id = file.subject_of(user_id)
    return {names[row["role_id"]] for row in file.rows(tables.auth_subject_roles) if row["subject_id"] == subject_id}


def told(file: MonolithData) -> Counter[str]:
    """All that the rows of accounts say, ids replaced by what they lead to."""
    users = {row["id"]: row for row in file.rows(tables.users)}
    subjects = {row["id"]: row for row in file.rows(tables.auth_subjects)}
    roles = {row["id"]: row["name"] for row in file.rows(tables.auth_roles)}

    def user(user_id: str | None) -> object:
        return users[user_id]["username"] if user_id in users else None

    def subject(subject_id: str) -> object:
        return user(subjects[subject_id]["internal_identifier"]), subjects[subject_id]["type"]

    facts: list[object] = [(*_plain(row), "user") for row in users.values()]
    facts += [(user(row["user_id"]), *_plain(row), "email") for row in file.rows(tables.user_emails)]
    facts += [(user(row["user_id"]), *_plain(row), "settings") for row in file.rows(tables.user_settings)]
    facts += [(subject(row["id"]), *_plain(row), "subject") for row in subjects.values()]
    facts += [(subject(row["subject_id"]), *_plain(row)) for row in file.rows(tables.auth_subject_credentials)]
    facts += [(subject(row["subject_id"]), roles[row["role_id"]]) for row in file.rows(tables.auth_subject_roles)]
    return Counter(map(repr, facts))


def _plain(row: Mapping[str, Any]) -> list[object]:
    """What does not name another row; of times, whether the row was changed after it was made; of secrets, the form."""
    plain = [value for name, value in row.items() if not name.endswith(("id", "_at", "secret", "token", "identifier"))]
    token, secret = row.get("verification_token"), row.get("secret")
    forms = [token if token is None else bool(UUID.fullmatch(token.encode()))]
    forms += [secret if secret is None else bool(HASH.fullmatch(secret))]
    return [*plain, *forms, row["created_at"] == row["updated_at"]]


def asked_for(file: MonolithData) -> list[dict[str, Any]]:
    """The bodies of Account's outbox, the oldest first."""
    table = "account_outbox" if file.url.startswith("sqlite") else "account.outbox"
    engine = create_engine(file.url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            found = connection.execute(text(f"SELECT body FROM {table} ORDER BY created_at"))
            return [json.loads(row.body) for row in found]
    finally:
        engine.dispose()
