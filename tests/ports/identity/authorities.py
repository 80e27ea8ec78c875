"""The implementations of the identity port (extracted/account/sign_in/ports.py), each with a user who can log in."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.auth.claims import AuthenticationOutcome
from chassis.auth.jwt import TokenRejected
from chassis.database import migrations
from chassis.database.database import Database
from chassis.settings import load
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.settings import Settings
from extracted.account.sign_in.domain import Login
from extracted.account.sign_in.keycloak_wiring import LegacySide, keycloak_components
from extracted.account.sign_in.ports import TokenAuthority
from legacy_adapter.account.access_tokens import LegacyAccessTokens, token_form
from legacy_adapter.account.exchanged_tokens import LegacyExchangedTokens
from legacy_adapter.account.passwords import Passwords
from legacy_adapter.account.subjects import LegacySubjects
from legacy_adapter.identity import MonolithIdentity
from tests.support.keycloak.identity import AppliedRealm, account_settings
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData
from tests.support.stores import ON_THE_MONOLITHS_TABLES, OpenStores, on_sqlite

PASSWORD = "correct horse 9"


@dataclass(frozen=True)
class IdentityWorld:
    """An implementation, a new user's login, and whether a token of that user is accepted now."""

    authority: TokenAuthority
    login: Login
    is_live: Callable[[str], Awaitable[bool]]


@asynccontextmanager
async def on_the_tables(open_stores: OpenStores, folder: Path) -> AsyncIterator[IdentityWorld]:
    """The monolith's tables decide, and its tokens are issued."""
    file, passwords = MonolithData(open_stores(folder)), Passwords(threads=1)
    database = Database(file.url)
    plugin = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(file.url))
    user_id = file.add_user("guest", "user")
    login = Login(user_id, file.subject_of(user_id), await passwords.hashed(PASSWORD))

    async def is_live(token: str) -> bool:
        fields = [(b"Authorization", f"Bearer {token}".encode())]
        found = await plugin.confirm(plugin.identify(fields), fields)
        assert found.credential == hashlib.sha256(token.encode()).digest()
        return found.outcome is AuthenticationOutcome.USER and found.subject == user_id

    form = token_form(SECRET, ISSUER, AUDIENCE)
    try:
        yield IdentityWorld(LegacyAccessTokens(database, form, passwords.matches), login, is_live)
    finally:
        passwords.close()
        await plugin.aclose()
        await database.aclose()
        file.close()


@asynccontextmanager
async def at_keycloak(realm: AppliedRealm, folder: Path) -> AsyncIterator[IdentityWorld]:
    """Keycloak decides for users who have moved, and issues the tokens."""
    file, passwords = MonolithData(on_sqlite(folder)), Passwords(threads=1)
    await migrations.upgrade(file.url, "account", MIGRATIONS)
    database = Database(file.url)
    user_id = file.add_user("guest", "user")
    login = Login(user_id, file.subject_of(user_id), await passwords.hashed(PASSWORD))
    form = token_form(SECRET, ISSUER, AUDIENCE)
    legacy = LegacySide(
        authority=LegacyAccessTokens(database, form, passwords.matches),
        matches=passwords.matches,
        tokens=LegacyExchangedTokens(form),
        subjects=LegacySubjects(database),
    )
    own = {name.lower(): value for name, value in account_settings(realm).items()}
    settings = load(Settings, **own, database_url=file.url, jwks_url="http://127.0.0.1:9/keys", keycloak_timeout_s=60)
    components = keycloak_components(settings, database, legacy)
    assert components is not None

    async def is_live(token: str) -> bool:
        try:
            _, subject = await components.sessions.check(token.encode())
        except TokenRejected:
            return False
        return subject.user_id == user_id

    try:
        async with components.running():
            yield IdentityWorld(components.authority, login, is_live)
    finally:
        passwords.close()
        await database.aclose()
        file.close()


AUTHORITIES = (
    *ON_THE_MONOLITHS_TABLES,
    pytest.param(None, id="keycloak", marks=pytest.mark.connected),
)
"""Stores for the tables' own authority; None: Keycloak is it."""
