"""Composition root of the shop: builds the application from settings, and serves it."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from starlette.applications import Starlette

from chassis.auth.tokens import TokenVerifier
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.outbox.outbox import Outbox
from chassis.outbox.relay import OutboxRelay
from chassis.service import logs, readiness, startup, web
from chassis.settings import load, revealed
from extracted.identity_server.service_settings import callers
from extracted.shop.api import application, internal
from extracted.shop.api.internal import InternalCredentials, OperatorViews
from extracted.shop.metrics import ShopMetrics
from extracted.shop.service import Sales, Shop, Stock
from extracted.shop.settings import Settings, ShopDatabaseSettings
from extracted.shop.storage import MIGRATIONS
from extracted.shop.storage.decisions import StoredDecisions
from extracted.shop.storage.quantities import StoredQuantities
from extracted.shop.storage.records import StoredAuditRecords
from extracted.shop.storage.tables import ShopTables
from extracted.shop.worker import ShopWorker
from legacy_adapter.shop.items import LegacyItems
from legacy_adapter.shop.transactions import LegacyPurchases, LegacySales
from legacy_adapter.stores import MonolithStores, opened

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"


@dataclass(frozen=True, slots=True)
class SalesParts:
    """What selling through queues adds. Its database connections are its own, so a sale that hangs blocks no reader."""

    database: Database
    stock: Stock
    views: OperatorViews
    worker: ShopWorker
    metrics: ShopMetrics


def build(settings: Settings) -> Starlette:
    """The application in shared mode: it works on the monolith's own tables and documents. Raises SettingsInvalid."""
    production = settings.environment == "production"
    stores = opened(settings.database_url.get_secret_value(), revealed(settings.documents_url))
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    shop = Shop(items=LegacyItems(stores.documents), purchases=LegacyPurchases(stores.database))
    sales = _sales(settings, settings.broker_url, stores) if settings.broker_url else None
    client_tokens = settings.client_tokens()
    stock = sales.stock if sales else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stores.aclose)
            stack.push_async_callback(verifier.aclose)
            if client_tokens is not None:
                stack.push_async_callback(client_tokens.aclose)
            if sales is not None:
                stack.push_async_callback(sales.database.aclose)
                await stack.enter_async_context(sales.worker.running())
            yield

    return web.application(
        internal.application(
            application.application(shop, verifier, production=production, stock=stock),
            shop=shop,
            credentials=InternalCredentials(
                account=callers(settings.internal_token, client_tokens), operator=revealed(settings.operator_token)
            ),
            views=sales.views if sales else None,
        ),
        failure=application.failure(production=production),
        description=application.description(),
        unserved=readiness.unserved(
            application.description(),
            [(route.method, route.path) for route in application.routes(shop, verifier, stock)],
            "SHOP_BROKER_URL is not set",
        ),
        ready=stores.ping,
        lifespan=lifespan,
        metrics=sales.metrics.gauges if sales else None,
    )


def _sales(settings: Settings, broker_url: SecretStr, stores: MonolithStores) -> SalesParts:
    database = Database(settings.database_url.get_secret_value())
    own = OwnTables("shop", database.is_sqlite)
    tables, outbox, failed_messages = ShopTables(own), Outbox(own, _now), FailedMessages(own, _now)
    broker = open_broker(broker_url.get_secret_value(), "shop")
    worker = ShopWorker(
        broker=broker,
        topology=_own_queues(),
        relay=OutboxRelay(database, outbox, broker),
        sales=Sales(StoredDecisions(database, tables, outbox, bought=LegacySales(), clock=_now)),
        database=database,
        failed_messages=failed_messages,
    )
    failures = StoredFailedMessages(stores.database, failed_messages)
    return SalesParts(
        database=database,
        stock=Stock(LegacyItems(stores.documents), StoredQuantities(stores.database, tables, _now)),
        views=OperatorViews(
            records=StoredAuditRecords(stores.database, tables),
            transactions=LegacyPurchases(stores.database),
            failed_messages=failures,
            status=worker.status,
            queues=worker.queues,
        ),
        worker=worker,
        metrics=ShopMetrics(worker, failures),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 after a normal stop, 1 if it cannot start, 2 for wrong settings."""
    return startup.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(ShopDatabaseSettings)
    return startup.migrate(settings.database_url.get_secret_value(), "shop", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("shop", settings.log_level)
    return startup.serve(app, _refusal(settings), host, port, service="shop", grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    if settings.broker_url is None:
        return None
    return asyncio.run(
        startup.obstacle(
            database_url=settings.database_url.get_secret_value(),
            broker_url=settings.broker_url.get_secret_value(),
            service="shop",
            script_location=MIGRATIONS,
            queues=_own_queues(),
        )
    )


def _own_queues() -> Topology:
    return topology.load(TOPOLOGY).owned_by("shop")


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    return startup.parser(
        "shop",
        8102,
        "Serves the shop's routes. With a broker it also sells items.",
        "Required: SHOP_DATABASE_URL[_FILE], SHOP_JWKS_URL, and with PostgreSQL SHOP_DOCUMENTS_URL[_FILE]. "
        "Optional: SHOP_BROKER_URL[_FILE] (amqp://… or sqlite:///PATH), "
        "SHOP_INTERNAL_TOKEN[_FILE] (Account's) or SHOP_KEYCLOAK_URL, SHOP_OPERATOR_TOKEN[_FILE], "
        "SHOP_AUDIENCE, SHOP_ISSUER, SHOP_ENVIRONMENT (production, development), SHOP_LOG_LEVEL, SHOP_GRACE_S.",
    )
