"""Composition root of Account: settings in, a served application out."""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from chassis import logs, web
from chassis.database import Database
from chassis.settings import SettingsInvalid, load
from chassis.tokens import TokenVerifier
from extracted.account import api
from extracted.account.service import Account
from extracted.account.settings import Settings
from legacy_adapter.account import LegacySettings, LegacyUsers
from legacy_adapter.teams import LegacyTeams


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables."""
    production = settings.environment == "production"
    database = Database(settings.database_url.get_secret_value(), timeout_s=settings.database_timeout_s)
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    account = Account(LegacyUsers(database), LegacySettings(database), LegacyTeams(database), settings.compat)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await verifier.aclose()
            await database.aclose()

    return web.application(
        api.application(account, verifier, production=production),
        failure=api.failure(production=production),
        description=api.description(),
        ready=database.ping,
        lifespan=lifespan,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, 1 could not listen, 2 wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(Settings)
        app = build(settings)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure("account", settings.log_level)
    return web.serve(app, options.host, options.port, grace_s=settings.grace_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extracted.account",
        description="Serves Account's extracted routes.",
        epilog="Environment: ACCOUNT_DATABASE_URL[_FILE] and ACCOUNT_JWKS_URL are required; ACCOUNT_AUDIENCE, "
        "ACCOUNT_ISSUER, ACCOUNT_ENVIRONMENT (production, development), ACCOUNT_COMPAT (strict, improved), "
        "ACCOUNT_DATABASE_TIMEOUT_S, ACCOUNT_LOG_LEVEL, ACCOUNT_GRACE_S.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8103, help="0 takes a free one")
    return parser
