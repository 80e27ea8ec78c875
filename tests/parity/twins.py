"""Account and the stand-in monolith on two copies of one database: what is asked of both has to leave both alike."""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from chassis.auth.claims import Identity
from chassis.database import migrations
from chassis.database.database import Database
from extracted.account.purchases.storage import MIGRATIONS
from legacy_adapter.identity import MonolithIdentity
from tests.parity.sides import ACTORS as EVERYBODY
from tests.parity.sides import difference, fill
from tests.recordings.running import running_monolith_on
from tests.support.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData
from tests.support.stores import OpenStores, on_sqlite
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

JSON = {"Content-Type": "application/json"}
ACTORS = (*EVERYBODY, "captain")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
STAMPS = ("created_at", "updated_at")


@dataclass(frozen=True)
class Twins:
    """Both sides, each on a file of its own. `ids`: of users by the names of actors, and of the `team`."""

    monolith_port: int
    account: RunningService
    files: tuple[MonolithData, MonolithData]
    credentials: Mapping[str, str]
    ids: Mapping[str, str]
    identities: dict[str, Identity] = field(default_factory=dict)

    def both(
        self,
        actor: str,
        target: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Answer, Answer]:
        """What the monolith says, and what Account says. A body that is no bytes goes as JSON."""
        sent = dict(headers or {}) | (JSON if body is not None and headers is None else {})
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        credential = self.credentials[actor]
        own = {"Authorization": credential} if credential else {}
        return (
            ask(self.monolith_port, target, method, own | sent, content),
            self.account.ask(target, self.identity(credential), method=method, headers=sent, body=content),
        )

    def differ(
        self,
        actor: str,
        target: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """What differs; "" when nothing does."""
        return difference(*self.both(actor, target, method, body, headers))

    def rows(self, table: Table) -> list[list[dict[str, Any]]]:
        """Of both files, without the times of writing."""
        return [
            [{name: value for name, value in row.items() if name not in STAMPS} for row in file.rows(table)]
            for file in self.files
        ]

    def identity(self, credential: str) -> Identity:
        """As the gateway establishes it; no role changes here, so once."""
        if credential not in self.identities:
            fields = [(b"authorization", credential.encode())] if credential else []
            self.identities[credential] = asyncio.run(_confirmed(self.files[0].url, fields))
        return self.identities[credential]


async def _confirmed(url: str, fields: list[tuple[bytes, bytes]]) -> Identity:
    plugin = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(url))
    try:
        return await plugin.confirm(plugin.identify(fields), fields)
    finally:
        await plugin.aclose()


@contextmanager
def running_twins(
    folder: Path,
    mode: str = "production",
    open_stores: OpenStores = on_sqlite,
    smtp: Mapping[str, str] | None = None,
    **variables: str,
) -> Iterator[Twins]:
    """Account has a broker, and sells nothing. `smtp`: variables of the monolith; `variables`: ACCOUNT_… settings."""
    gateway = Gateway()
    stores = open_stores(folder)
    with running_monolith_on(stores, seed="demo", environ={"NODE_ENV": mode, **(smtp or {})}) as monolith:
        file = MonolithData(stores)
        credentials, ids = _filled(file, monolith.port)
        copy = file.copy(open_stores(_made(folder / "copy")))
        asyncio.run(migrations.upgrade(copy.url, "account", MIGRATIONS))
        settings = {"ENVIRONMENT": mode, "BROKER_URL": f"sqlite:///{folder / 'broker.sqlite3'}"} | variables
        with running_service("account", copy.url, gateway, **settings) as account:
            yield Twins(monolith.port, account, (file, copy), credentials, ids)
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
