"""Composition root of Account: settings in, a served application out."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.types import ASGIApp

from chassis import logs, migrations, starting, web
from chassis.database import Database
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox import Outbox
from chassis.own_tables import OwnTables
from chassis.parked import Parked
from chassis.parked_store import StoredParked
from chassis.relay import Relay
from chassis.settings import SettingsInvalid, load
from chassis.store import StoreUnavailable
from chassis.tokens import TokenVerifier
from extracted.account import api
from extracted.account.api import internal, purchases
from extracted.account.auditing import Auditing
from extracted.account.buying import Buying
from extracted.account.calling import Calling
from extracted.account.looking import Looking
from extracted.account.offers import HttpOffers
from extracted.account.operations import Operations
from extracted.account.reminding import Reminding
from extracted.account.replies import GatewayReplies
from extracted.account.saga import Patience
from extracted.account.service import Account
from extracted.account.settings import DatabaseSettings, Settings
from extracted.account.storage import MIGRATIONS
from extracted.account.storage.operations import SqlOperations
from extracted.account.storage.purchases import SqlStore, kept
from extracted.account.storage.tables import define
from extracted.account.waiting import Waiting
from extracted.account.worker import Handlers, Worker
from legacy_adapter.account import LegacySettings, LegacyUsers
from legacy_adapter.points import LegacyPoints
from legacy_adapter.purchase_rows import LegacyRows
from legacy_adapter.teams import LegacyTeams

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"
CONNECTIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Purchasing:
    """What there is beside the monolith's own data, where things are bought here."""

    calling: Calling
    looking: Looking
    worker: Worker
    operations: Operations
    messages: StoredParked
    offers: HttpOffers
    broker: Broker


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables."""
    production = settings.environment == "production"
    url, timeout_s = settings.database_url.get_secret_value(), settings.database_timeout_s
    database = Database(url, pool_size=CONNECTIONS, timeout_s=timeout_s)
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    account = Account(LegacyUsers(database), LegacySettings(database), LegacyTeams(database), settings.compat)
    bought = _purchasing(settings, database)
    routes = () if bought is None else tuple(purchases.routes(bought.calling, bought.looking))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.aclose)
            stack.push_async_callback(verifier.aclose)
            if bought is not None:
                stack.push_async_callback(bought.broker.aclose)
                stack.push_async_callback(bought.offers.aclose)
                await stack.enter_async_context(bought.worker.running())
            yield

    public = api.application(account, verifier, production=production, more=routes)
    return web.application(
        public if bought is None else _with_operations(public, settings, bought),
        failure=api.failure(production=production),
        description=api.description(),
        ready=database.ping,
        lifespan=lifespan,
    )


def _with_operations(public: ASGIApp, settings: Settings, bought: Purchasing) -> ASGIApp:
    token = settings.operator_token.get_secret_value() if settings.operator_token else None
    return internal.application(public, token, bought.operations, bought.messages, bought.worker.auditing.status)


def _purchasing(settings: Settings, database: Database) -> Purchasing | None:
    """Raises SettingsInvalid."""
    if settings.broker_url is None or settings.shop_url is None or settings.shop_token is None:
        return None
    own = OwnTables("account", database.is_sqlite)
    outbox, parked = Outbox(own, _now), Parked(own, _now)
    parts = kept(define(own), LegacyPoints(), outbox, _now)
    store, records = SqlStore(database, parts), SqlOperations(database, parts, LegacyRows())
    offers = HttpOffers(settings.shop_url, settings.shop_token.get_secret_value())
    broker = open_broker(settings.broker_url.get_secret_value(), "account")
    patience = Patience(timedelta(seconds=settings.ask_again_s), timedelta(seconds=settings.cancel_after_s))
    buying = Buying(store, offers, _now, Waiting(), patience)
    handlers = Handlers(buying, GatewayReplies(broker), _now)
    relay = Relay(database, outbox, broker)
    operations, reminding = Operations(records, _now, patience), Reminding(store, _now, patience)
    auditing, kept_messages = Auditing(operations, relay), StoredParked(database, parked)
    worker = Worker(broker, _own_queues(), relay, handlers, offers.ping, reminding, auditing, database, parked)
    return Purchasing(Calling(buying), Looking(store), worker, operations, kept_messages, offers, broker)


def _own_queues() -> Topology:
    return topology.load(TOPOLOGY).owned_by("account")


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, or migrated; 1 could not start; 2 wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        return _migrate() if options.command == "migrate" else _serve(options.host, options.port)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2


def _migrate() -> int:
    settings = load(DatabaseSettings)
    return starting.migrate(settings.database_url.get_secret_value(), "account", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    refusal = asyncio.run(_refusal(settings, settings.broker_url.get_secret_value())) if settings.broker_url else None
    if refusal is not None:
        print(refusal, file=sys.stderr)
        return 1
    logs.configure("account", settings.log_level)
    return web.serve(app, host, port, grace_s=settings.grace_s)


async def _refusal(settings: Settings, broker_url: str) -> str | None:
    """Why it cannot start: its tables or its queues are not as wanted. Nothing is said of what is away for now."""
    database, broker = Database(settings.database_url.get_secret_value()), open_broker(broker_url, "account")
    try:
        with suppress(StoreUnavailable):
            if (behind := await migrations.head_missing(database, "account", MIGRATIONS)) is not None:
                return behind
        return await starting.differing(broker, _own_queues())
    finally:
        await database.aclose()
        await broker.aclose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extracted.account",
        description="Serves Account's extracted routes; `migrate` makes or changes its own tables instead.",
        epilog="Environment: ACCOUNT_DATABASE_URL[_FILE] and ACCOUNT_JWKS_URL are required; to buy needs "
        "ACCOUNT_BROKER_URL[_FILE], ACCOUNT_SHOP_URL, ACCOUNT_SHOP_TOKEN[_FILE]; ACCOUNT_OPERATOR_TOKEN[_FILE], "
        "ACCOUNT_AUDIENCE, ACCOUNT_ISSUER, ACCOUNT_ENVIRONMENT (production, development), ACCOUNT_COMPAT (strict, "
        "improved), ACCOUNT_DATABASE_TIMEOUT_S, ACCOUNT_ASK_AGAIN_S, ACCOUNT_CANCEL_AFTER_S, ACCOUNT_LOG_LEVEL, "
        "ACCOUNT_GRACE_S.",
    )
    parser.add_argument("command", nargs="?", choices=("serve", "migrate"), default="serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8103, help="0 takes a free one")
    return parser
