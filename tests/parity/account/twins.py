"""Account and the stand-in monolith on two copies of one database, so that writes can be compared."""

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Table, create_engine, text

from chassis.auth.claims import NOBODY, Identity
from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from tests.parity.sides import ACTORS as EVERYBODY
from tests.parity.sides import JSON, Fields, difference, fill, identities_of
from tests.recordings.mail_sink import MailSink, mail_server
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.support.stores import OpenStores
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

ACTORS = (*EVERYBODY, "captain")
STAMPS = ("created_at", "updated_at")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HASH = re.compile(r"\$2b\$\d\d\$.{53}")
TOLD = (
    tables.users, tables.user_emails, tables.user_settings, tables.teams, tables.team_members, tables.transactions,
    tables.auth_subjects, tables.auth_subject_credentials, tables.auth_subject_roles, tables.auth_roles,
    tables.auth_role_policies,
)  # fmt: skip
"""The tables that Account and the monolith write."""


@dataclass(frozen=True)
class Twins:
    """Both sides, each on its own file. `ids`: of users by the names of actors, and of the `team`.

    Subclasses create rows whose ids differ: targets, bodies and rows go by names. `sink` gets the monolith's mails.
    """

    default_method: ClassVar[str] = "GET"
    monolith_port: int
    account: RunningService
    files: tuple[MonolithData, MonolithData]
    credentials: dict[str, str]
    ids: dict[str, str]
    sink: MailSink
    identities: dict[str, Identity] = field(default_factory=dict)

    def who(self, actor: str) -> tuple[str, Identity]:
        """The actor's credential for the monolith, and who the gateway says it is."""
        credential = self.credentials[actor]
        return credential, self.identity(credential) if credential else NOBODY

    def resolved(self, side: int, text: str) -> str:
        """The text with this side's ids in place of names."""
        return text

    def both(
        self, actor: str, target: str, method: str = "", body: object = None, headers: Fields = None
    ) -> tuple[Answer, Answer]:
        """What the monolith says, and what Account says. A body that is no bytes goes as JSON."""
        sent = dict(headers or {}) | (JSON if body is not None and headers is None else {})
        credential, identity = self.who(actor)
        own = sent | ({"Authorization": credential} if credential else {})
        (old, content), (new, other) = ((self.resolved(side, target), self._content(side, body)) for side in (0, 1))
        method = method or self.default_method
        return (
            ask(self.monolith_port, old, method, own, content),
            self.account.ask(new, identity, method=method, headers=sent, body=other),
        )

    def differ(self, actor: str, target: str, method: str = "", body: object = None, headers: Fields = None) -> str:
        """What differs besides the ids of new rows; "" when nothing does."""
        return difference(*map(self.masked, self.both(actor, target, method, body, headers)))

    def masked(self, answer: Answer) -> Answer:
        """The answer without values that have to differ."""
        return answer

    def unlike(self) -> list[str]:
        """What the rows of one side say, and those of the other do not."""
        monolith, account = map(told, self.files)
        return sorted(((monolith - account) + (account - monolith)).elements())

    def rows(self, table: Table) -> list[list[dict[str, Any]]]:
        """The table in both files, without the times of writing."""
        return [
            [{name: value for name, value in row.items() if name not in STAMPS} for row in file.rows(table)]
            for file in self.files
        ]

    def identity(self, credential: str) -> Identity:
        """As the gateway establishes it: once, because no role changes here."""
        if credential not in self.identities:
            self.identities.update(asyncio.run(identities_of(self.files[0].url, [credential])))
        return self.identities[credential]

    def _content(self, side: int, body: object) -> bytes | None:
        return body if body is None or isinstance(body, bytes) else self.resolved(side, json.dumps(body)).encode()


AnyTwins = TypeVar("AnyTwins", bound=Twins)


@contextmanager
def running_twins(kind: type[AnyTwins], folder: Path, mode: str, open_stores: OpenStores) -> Iterator[AnyTwins]:
    """`mode`: production or development. Account has a broker and sells nothing."""
    gateway = Gateway()
    stores = open_stores(folder)
    with (
        mail_server() as (sink, smtp),
        running_monolith_on(stores, seed="demo", environ={"NODE_ENV": mode, **smtp}) as monolith,
    ):
        file = MonolithData(stores)
        credentials, ids = _filled(file, monolith.port)
        copy = file.copy(open_stores(_made(folder / "copy")))
        asyncio.run(migrations.upgrade(copy.url, "account", MIGRATIONS))
        settings = {"ENVIRONMENT": mode, "BROKER_URL": f"sqlite:///{folder / 'broker.sqlite3'}"}
        settings["AUTH_JWT_SECRET"] = SECRET
        with running_service("account", copy.url, gateway, **settings) as account:
            yield kind(monolith.port, account, (file, copy), credentials, ids, sink)
        file.close()
        copy.close()
    gateway.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _filled(file: MonolithData, port: int) -> tuple[dict[str, str], dict[str, str]]:
    """Actors, settings, teams; `captain` has one whose e-mail is not verified."""
    credentials = fill(file)
    ids = {name: _user_of(credentials[name]) for name in ("guest", "user", "admin", "deleted")}
    for name in ("guest", "user", "admin"):
        file.add_settings(ids[name])
    captain = file.add_user("guest", username="Captain", points=7, description="é ✓ \u2028")
    for index, points in enumerate((7, 7, 0, 2**31 - 1)):
        file.add_user("guest", username=f"Member_{index}%", points=points)
    sent = ask(port, "/team", "POST", JSON | {"Authorization": credentials["user"]}, b'{"name": "Blue_%"}')
    ids["team"] = json.loads(sent.body)["data"]["id"]
    file.give_role(captain, f"team::{ids['team']}::captain")
    file.add_team("Red", ids["admin"], ids["user"], captain, description="")
    file.add_team("redder", captain)
    ids["captain"] = captain
    return credentials | {"captain": f"Bearer {file.login(captain)}"}, ids


def _user_of(credential: str) -> str:
    payload = credential.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["internalIdentifier"])


def told(file: MonolithData) -> Counter[str]:
    """What the rows say: names for ids, the form of a secret, and for times whether the row was changed later."""
    names = {row["id"]: str(row["username"]) for row in file.rows(tables.users)}
    names |= {row["id"]: str(row["name"]) for row in file.rows(tables.teams)}
    names |= {row["id"]: names.get(row["internal_identifier"], "?") for row in file.rows(tables.auth_subjects)}
    names |= {row["id"]: _named(row["name"], names) for row in file.rows(tables.auth_roles)}
    return Counter(f"{table.name} {_named(_without_times(row), names)}" for table in TOLD for row in file.rows(table))


def _named(value: object, names: Mapping[str, str]) -> str:
    text = ID.sub(lambda found: names.get(found[0], "?"), json.dumps(value, default=str, ensure_ascii=False))
    return HASH.sub("a hash", text)


def _without_times(row: Mapping[str, Any]) -> dict[str, object]:
    values = {name: value for name, value in row.items() if name not in STAMPS}
    return values | {"is_unchanged": row["created_at"] == row["updated_at"]}


def named(file: MonolithData, table: Table, column: str, value: str) -> dict[str, Any]:
    """The one row with this value."""
    return next(row for row in file.rows(table) if row[column] == value)


def roles_of(file: MonolithData, user_id: str) -> set[str]:
    """The user's roles in the tables."""
    names = {row["id"]: str(row["name"]) for row in file.rows(tables.auth_roles)}
    subject_id = file.subject_of(user_id)
    return {names[row["role_id"]] for row in file.rows(tables.auth_subject_roles) if row["subject_id"] == subject_id}


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
