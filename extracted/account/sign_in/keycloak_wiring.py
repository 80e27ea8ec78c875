"""Builds what Account needs with Keycloak. What lies in the monolith's tables comes as arguments."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.auth.jwks import RemoteKeys
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.settings import revealed
from extracted.account.sessions.cleaner import SessionCleaner
from extracted.account.sessions.ports import SubjectStore
from extracted.account.sessions.service import Sessions
from extracted.account.sessions.storage import tables as session_tables
from extracted.account.sessions.storage.sessions import MonolithTokens, SqlSessions
from extracted.account.sessions.verifier import KeycloakTokens
from extracted.account.settings import Settings
from extracted.account.sign_in.keycloak_authority import KeycloakAuthority, Matches
from extracted.account.sign_in.keycloak_server import KeycloakServer
from extracted.account.sign_in.ports import TokenAuthority
from extracted.account.sign_in.storage import moved_users
from extracted.account.sign_in.storage.moved_users import SqlMovedUsers
from extracted.identity_server.domain import ClientCredential


@dataclass(frozen=True, slots=True)
class LegacySide:
    """What the monolith's tables give: who decides while Keycloak is away, hashes, tokens, users."""

    authority: TokenAuthority
    matches: Matches
    tokens: MonolithTokens
    subjects: SubjectStore


@dataclass(frozen=True, slots=True)
class KeycloakComponents:
    """The authority behind log-in, and the sessions that the gateway asks about."""

    authority: KeycloakAuthority
    sessions: Sessions
    server: KeycloakServer
    tokens: KeycloakTokens
    cleaner: SessionCleaner

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts also if Keycloak is away."""
        cleaning = asyncio.create_task(self.cleaner.run(), name="sessions")
        try:
            yield
        finally:
            cleaning.cancel()
            await asyncio.gather(cleaning, return_exceptions=True)
            await self.server.aclose()
            await self.tokens.aclose()


def keycloak_components(settings: Settings, database: Database, legacy: LegacySide) -> KeycloakComponents | None:
    """None: the settings name no Keycloak."""
    if not settings.logs_in_at_keycloak:
        return None
    own = OwnTables("account", database.is_sqlite)
    server, tokens = _server(settings), _tokens(settings)
    store = SqlSessions(database, session_tables.define(own), legacy.tokens, _now)
    sessions = Sessions(
        tokens=tokens, sessions=store, subjects=legacy.subjects, activity=server, compat=settings.compat
    )
    authority = KeycloakAuthority(
        server=server,
        moved=SqlMovedUsers(database, own, moved_users.define(own), _now),
        tables=legacy.authority,
        matches=legacy.matches,
        sessions=sessions,
        compat=settings.compat,
    )
    return KeycloakComponents(authority, sessions, server, tokens, SessionCleaner(store.forget))


def _server(settings: Settings) -> KeycloakServer:
    from extracted.identity_server.keycloak import realm_users  # the library is an extra, and takes 0.1 s to load

    users = realm_users(
        settings.keycloak_url or "",
        settings.keycloak_realm,
        ClientCredential(settings.keycloak_client_id, revealed(settings.keycloak_client_secret) or ""),
        ClientCredential(settings.keycloak_admin_client_id, revealed(settings.keycloak_admin_client_secret) or ""),
        timeout_s=settings.keycloak_timeout_s,
    )
    return KeycloakServer(users)


def _tokens(settings: Settings) -> KeycloakTokens:
    keys = RemoteKeys(f"{settings.realm_url}/protocol/openid-connect/certs", timeout_s=settings.keycloak_timeout_s)
    issuer = settings.keycloak_issuer or settings.realm_url
    return KeycloakTokens(keys, issuer, [settings.keycloak_client_id])


def _now() -> datetime:
    return datetime.now(UTC)
