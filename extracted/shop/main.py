"""Composition root of the shop: settings in, a served application out."""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from chassis import logs, web
from chassis.settings import SettingsInvalid, load
from chassis.tokens import TokenVerifier
from extracted.shop import api
from extracted.shop.service import Shop
from extracted.shop.settings import Settings
from legacy_adapter.shop import LegacyItems, LegacyPurchases
from legacy_adapter.stores import opened


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables and documents."""
    production = settings.environment == "production"
    documents_url = settings.documents_url.get_secret_value() if settings.documents_url else None
    stores = opened(settings.database_url.get_secret_value(), documents_url)
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    shop = Shop(LegacyItems(stores.documents), LegacyPurchases(stores.database))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await verifier.aclose()
            await stores.aclose()

    return web.application(
        api.application(shop, verifier, production=production),
        failure=api.failure(production=production),
        description=api.description(),
        ready=stores.ping,
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
    logs.configure("shop", settings.log_level)
    return web.serve(app, options.host, options.port, grace_s=settings.grace_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extracted.shop",
        description="Serves the shop's extracted routes.",
        epilog="Environment: SHOP_DATABASE_URL[_FILE] and SHOP_JWKS_URL are required, with PostgreSQL "
        "SHOP_DOCUMENTS_URL[_FILE], too; SHOP_AUDIENCE, SHOP_ISSUER, SHOP_ENVIRONMENT (production, development), "
        "SHOP_LOG_LEVEL, SHOP_GRACE_S.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8102, help="0 takes a free one")
    return parser
