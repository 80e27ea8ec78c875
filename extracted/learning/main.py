"""Composition root of Learning: builds the application from settings, and serves it."""

import argparse
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette

from chassis.auth.tokens import TokenVerifier
from chassis.service import logs, startup, web
from chassis.settings import load, revealed
from extracted.learning.api import application
from extracted.learning.api.callers import GuardedRoute
from extracted.learning.modules import api as modules
from extracted.learning.settings import LearningDatabaseSettings, Settings
from extracted.learning.storage import MIGRATIONS
from legacy_adapter.learning.modules import LegacyModules
from legacy_adapter.stores import MonolithStores, opened


def build(settings: Settings) -> Starlette:
    """The application in shared mode: it works on the monolith's own tables and documents. Raises SettingsInvalid."""
    production = settings.environment == "production"
    stores = opened(settings.database_url.get_secret_value(), revealed(settings.documents_url))
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stores.aclose)
            stack.push_async_callback(verifier.aclose)
            yield

    return web.application(
        application.application(_routes(stores), verifier, production=production),
        failure=application.failure(production=production),
        description=application.description(),
        ready=stores.ping,
        lifespan=lifespan,
    )


def _routes(stores: MonolithStores) -> Iterator[GuardedRoute]:
    yield from modules.routes(LegacyModules(stores.database, stores.documents))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 after a normal stop, 1 if it cannot start, 2 for wrong settings."""
    return startup.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(LearningDatabaseSettings)
    return startup.migrate(settings.database_url.get_secret_value(), "learning", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("learning", settings.log_level)
    return startup.serve(app, None, host, port, grace_s=settings.grace_s)


def _parser() -> argparse.ArgumentParser:
    return startup.parser(
        "learning",
        8106,
        "Serves Learning's routes: modules, contents and submissions.",
        "Required: LEARNING_DATABASE_URL[_FILE], LEARNING_JWKS_URL, and with PostgreSQL LEARNING_DOCUMENTS_URL[_FILE]. "
        "Optional: LEARNING_OPERATOR_TOKEN[_FILE], LEARNING_AUDIENCE, LEARNING_ISSUER, LEARNING_ENVIRONMENT "
        "(production, development), LEARNING_COMPAT (strict, improved), LEARNING_LOG_LEVEL, LEARNING_GRACE_S.",
    )
