"""The implementations of the identity port (extracted/account/sign_in/ports.py), each with a user who can log in."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chassis.auth.claims import AuthenticationOutcome
from chassis.database.database import Database
from extracted.account.sign_in.domain import Login
from extracted.account.sign_in.ports import TokenAuthority
from legacy_adapter.account.access_tokens import LegacyAccessTokens, token_form
from legacy_adapter.account.passwords import Passwords
from legacy_adapter.identity import MonolithIdentity
from tests.support.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData
from tests.support.stores import ON_THE_MONOLITHS_TABLES, OpenStores

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


AUTHORITIES = ON_THE_MONOLITHS_TABLES
