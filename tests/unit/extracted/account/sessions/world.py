"""Account's sessions on a database of the monolith, with the test run's own realm instead of Keycloak."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis.auth.jwks import FixedKeys
from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from extracted.account.domain import Compat
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.sessions.service import Sessions
from extracted.account.sessions.storage.sessions import SqlSessions
from extracted.account.sessions.storage.tables import SessionTables, define
from extracted.account.sessions.verifier import KeycloakTokens
from legacy_adapter.account.access_tokens import token_form
from legacy_adapter.account.exchanged_tokens import LegacyExchangedTokens
from legacy_adapter.account.subjects import LegacySubjects
from tests.support.keycloak.keycloak_tokens import CLIENT, REALM, KeycloakKeys
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData

KEYS = KeycloakKeys()


@dataclass
class ScriptedActivity:
    """Implements the port Activity: what the identity server would say now."""

    is_live: bool = True
    error: Exception | None = None

    async def is_active(self, token: bytes, digest: str) -> bool:
        if self.error is not None:
            raise self.error
        return self.is_live


@dataclass
class SessionWorld:
    """`ahead`: how far Account's clock is ahead of the machine's."""

    data: MonolithData
    database: Database
    tables: SessionTables
    activity: ScriptedActivity
    ahead: timedelta = timedelta()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @property
    def store(self) -> SqlSessions:
        form = token_form(SECRET, ISSUER, AUDIENCE)
        return SqlSessions(self.database, self.tables, LegacyExchangedTokens(form), self.clock)

    def sessions(self, compat: Compat = Compat.STRICT) -> Sessions:
        return Sessions(
            tokens=KeycloakTokens(FixedKeys(KEYS.jwks), REALM, [CLIENT]),
            sessions=self.store,
            subjects=LegacySubjects(self.database),
            activity=self.activity,
            compat=compat,
        )


@asynccontextmanager
async def opened(data: MonolithData) -> AsyncIterator[SessionWorld]:
    await migrations.upgrade(data.url, "account", MIGRATIONS)
    database = Database(data.url)
    try:
        yield SessionWorld(data, database, define(OwnTables("account", database.is_sqlite)), ScriptedActivity())
    finally:
        await database.aclose()
