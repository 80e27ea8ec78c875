"""Composition root of the shop: settings in, a served application out."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

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
from chassis.service import logs, starting, web
from chassis.service.settings import load, revealed
from extracted.shop import api
from extracted.shop.api.internal import Credentials, Operations
from extracted.shop.measuring import Measuring
from extracted.shop.service import Sales, Shop, Stock
from extracted.shop.settings import DatabaseSettings, Settings
from extracted.shop.storage import MIGRATIONS
from extracted.shop.storage.decisions import StoredDecisions
from extracted.shop.storage.quantities import StoredQuantities
from extracted.shop.storage.records import StoredRecords
from extracted.shop.storage.tables import ShopTables
from extracted.shop.worker import Worker
from legacy_adapter.shop.items import LegacyItems
from legacy_adapter.shop.transactions import LegacyPurchases, LegacySales
from legacy_adapter.stores import Stores, opened

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"


@dataclass(frozen=True, slots=True)
class Selling:
    """What there is beside the monolith's own data, where items are sold through queues."""

    database: Database
    stock: Stock
    operations: Operations
    worker: Worker
    measuring: Measuring


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables and documents."""
    production = settings.environment == "production"
    stores = opened(settings.database_url.get_secret_value(), revealed(settings.documents_url))
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    shop = Shop(LegacyItems(stores.documents), LegacyPurchases(stores.database))
    selling = _selling(settings, stores) if settings.broker_url else None
    public = api.application(shop, verifier, production=production, stock=selling.stock if selling else None)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stores.aclose)
            stack.push_async_callback(verifier.aclose)
            if selling is not None:
                stack.push_async_callback(selling.database.aclose)
                await stack.enter_async_context(selling.worker.running())
            yield

    return web.application(
        api.internal.application(public, shop, _credentials(settings), selling.operations if selling else None),
        failure=api.failure(production=production),
        description=api.description(),
        ready=stores.ping,
        lifespan=lifespan,
        metrics=selling.measuring.gauges if selling else None,
    )


def _selling(settings: Settings, stores: Stores) -> Selling:
    """The shop's own tables, and what works on them: on connections apart, so that sales that hang starve no reader.

    Raises SettingsInvalid.
    """
    assert settings.broker_url is not None, "whoever asks for it has a broker"
    database = Database(settings.database_url.get_secret_value())
    own, broker = OwnTables("shop", database.is_sqlite), open_broker(settings.broker_url.get_secret_value(), "shop")
    tables, outbox, failed_messages = ShopTables(own), Outbox(own, _now), FailedMessages(own, _now)
    relay = OutboxRelay(database, outbox, broker)
    sales = Sales(StoredDecisions(database, tables, outbox, LegacySales(), _now))
    worker = Worker(broker, _own_queues(), relay, sales, database, failed_messages)
    reading = stores.database
    records, transactions, messages = (
        StoredRecords(reading, tables),
        LegacyPurchases(reading),
        StoredFailedMessages(reading, failed_messages),
    )
    return Selling(
        database,
        Stock(LegacyItems(stores.documents), StoredQuantities(reading, tables, _now)),
        Operations(records, transactions, messages, worker.status),
        worker,
        Measuring(worker, messages),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, 1 could not start, 2 wrong settings."""
    return starting.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(DatabaseSettings)
    return starting.migrate(settings.database_url.get_secret_value(), "shop", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("shop", settings.log_level)
    return starting.serve(app, _refusal(settings), host, port, grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    if settings.broker_url is None:
        return None
    urls = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    return asyncio.run(starting.obstacle(*urls, "shop", MIGRATIONS, _own_queues()))


def _own_queues() -> Topology:
    return topology.load(TOPOLOGY).owned_by("shop")


def _credentials(settings: Settings) -> Credentials:
    return Credentials(revealed(settings.internal_token), revealed(settings.operator_token))


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    return starting.parser(
        "shop",
        8102,
        "Serves the shop's extracted routes; with a broker it sells, too.",
        "SHOP_DATABASE_URL[_FILE] and SHOP_JWKS_URL are required, with PostgreSQL "
        "SHOP_DOCUMENTS_URL[_FILE], too; SHOP_BROKER_URL[_FILE] (amqp://… or sqlite:///PATH), "
        "SHOP_INTERNAL_TOKEN[_FILE] (Account's), SHOP_OPERATOR_TOKEN[_FILE], SHOP_AUDIENCE, SHOP_ISSUER, "
        "SHOP_ENVIRONMENT (production, development), SHOP_LOG_LEVEL, SHOP_GRACE_S.",
    )
