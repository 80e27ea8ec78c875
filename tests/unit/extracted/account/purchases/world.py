"""Account's purchases on a real store, with a Shop that decides as Shop does, and a clock that tests move."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.envelope import Envelope, new_id
from chassis.outbox.outbox import Outbox
from chassis.outbox.outbox import OutboxMessage as Put
from examples.monolith.storage import tables as monolith_tables
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import (
    Item,
    LedgerEntry,
    Offer,
    Purchase,
    PurchaseRequest,
    RequestRecord,
)
from extracted.account.purchases.ports import OfferUnavailable
from extracted.account.purchases.service.buy import PurchaseService
from extracted.account.purchases.service.orders import RequestResult
from extracted.account.purchases.service.saga_timeouts import SagaTimeouts
from extracted.account.purchases.settlement_waiters import SettlementWaiters
from extracted.account.purchases.storage import rows
from extracted.account.purchases.storage.purchases import SqlPurchaseStore, TransactionContext
from extracted.account.purchases.storage.statements import build
from extracted.account.purchases.storage.tables import PurchaseTables, define
from legacy_adapter.account.points import LegacyPoints
from tests.support.monolith.monolith_file import MonolithData

MIGRATIONS = Path(__file__).parents[5] / "extracted" / "account" / "migrations"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class ShopModel:
    """Offers and decisions: one decision a purchase id, kept for ever; the first command decides."""

    monolith: MonolithData
    items: dict[str, Item] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False

    def add(self, cost: float | None = 10, stock: int | None = None) -> str:
        item = Item(str(uuid.uuid4()), cost, "hint", {"text": "look"})
        self.items[item.id] = item
        if stock is not None:
            self.stock[item.id] = stock
        return item.id

    async def find(self, user_id: str, item_id: str) -> Offer | None:
        self.asked.append((user_id, item_id))
        if self.is_away:
            raise OfferUnavailable("away")
        item = self.items.get(item_id)
        return None if item is None else Offer(item, self.live(user_id, item_id))

    def live(self, user_id: str, item_id: str) -> str | None:
        found = [row["id"] for row in self.rows(user_id, item_id) if row["deleted_at"] is None]
        return found[0] if found else None

    def rows(self, user_id: str, item_id: str) -> list[dict[str, Any]]:
        rows = self.monolith.rows(monolith_tables.transactions)
        return [row for row in rows if (row["user_id"], row["Object_id"]) == (user_id, item_id)]

    def sell(self, purchase_id: str, user_id: str, item_id: str) -> None:
        self.monolith.add_purchase(user_id, item_id, id=purchase_id)

    def handle(self, command: Envelope) -> Envelope:
        purchase_id = str(command.body["purchaseId"])
        if purchase_id not in self.decisions:
            self.decisions[purchase_id] = self._decide(command)
        kind, reason = self.decisions[purchase_id]
        body = {"purchaseId": purchase_id} | ({} if reason is None else {"reason": reason})
        return Envelope(
            new_id(), kind, body, command.time, request_id=command.request_id, causation_id=command.id, subject="x"
        )

    def _decide(self, command: Envelope) -> tuple[str, str | None]:
        purchase_id, user_id, item_id = (str(command.body[name]) for name in ("purchaseId", "userId", "itemId"))
        if command.type == messages.CANCEL:
            return messages.CANCELLED, None
        if self.live(user_id, item_id) is not None:
            return messages.REFUSED, "already_owned"
        if self.stock.get(item_id, 1) < 1:
            return messages.REFUSED, "out_of_stock"
        if item_id in self.stock:
            self.stock[item_id] -= 1
        self.sell(purchase_id, user_id, item_id)
        return messages.DECREASED, None


@dataclass
class World:
    """One Account process."""

    monolith: MonolithData
    database: Database
    tables: PurchaseTables
    outbox: Outbox
    store: SqlPurchaseStore
    clock: Clock
    shop: ShopModel
    service: PurchaseService
    saga_timeouts: SagaTimeouts

    def user(self, points: int = 100) -> str:
        return self.monolith.add_user("user", points=points)

    def points(self, user_id: str) -> int:
        users = self.monolith.rows(monolith_tables.users)
        return next(int(row["points"]) for row in users if row["id"] == user_id)

    async def ask(self, user_id: str, item_id: str, message_id: str | None = None) -> tuple[RequestResult, str]:
        """By message; what it came to, and the message's id."""
        asked = self.asked(user_id, item_id, message_id)
        return await self.service.buy(asked), asked.id

    def asked(self, user_id: str, item_id: str, message_id: str | None = None) -> PurchaseRequest:
        return messages.purchase_request(requested(user_id, item_id, message_id))

    async def call(self, user_id: str, item_id: str) -> RequestResult:
        """As POST /item/buy does: by no message."""
        return await self.service.buy(PurchaseRequest(new_id(), user_id, item_id), refuse_stale=True)

    async def settle(self, decision: Envelope) -> None:
        await self.service.settle(messages.shop_decision(decision))

    async def commands(self) -> list[Envelope]:
        """What the outbox has not brought away."""
        async with self.database.read() as connection:
            own = self.tables.own
            table = next(table for table in own.metadata.sorted_tables if table.name == own.name("outbox"))
            found = await connection.execute(
                select(table.c.message_id, table.c.created_at, table.c.properties, table.c.body)
                .where(table.c.published_at.is_(None))
                .order_by(table.c.created_at)
            )
            return [Put(*row).envelope() for row in found]

    async def confirm(self, *commands: Envelope) -> None:
        async with self.database.write() as connection:
            await self.outbox.confirmed(connection, [command.id for command in commands])

    async def published(self) -> list[Envelope]:
        """The broker confirms all that waits."""
        commands = await self.commands()
        if commands:
            await self.confirm(*commands)
        return commands

    async def deliver(self, *commands: Envelope) -> None:
        """To Shop, and its answers back."""
        for command in commands:
            await self.settle(await asyncio.to_thread(self.shop.handle, command))  # it may wait for a writer here

    async def purchase(self, purchase_id: str) -> Purchase:
        async with self.store.read() as reader:
            found = await reader.find(purchase_id)
        assert found is not None
        return found

    async def purchases(self) -> list[Purchase]:
        return [rows.purchase(row) for row in await self._all(self.tables.purchases)]

    async def requests(self) -> list[RequestRecord]:
        return [rows.request(row) for row in await self._all(self.tables.requests)]

    async def ledger(self) -> list[LedgerEntry]:
        return [rows.entry(row) for row in await self._all(self.tables.ledger)]

    async def kinds(self, purchase_id: str) -> list[tuple[str, int]]:
        """Of its lines in the ledger, with what they changed."""
        return sorted((entry.kind, entry.delta) for entry in await self.ledger() if entry.purchase_id == purchase_id)

    async def _all(self, table: Any) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(select(table))).all()


def requested(user_id: str, item_id: str, message_id: str | None = None, **body: object) -> Envelope:
    return Envelope(message_id or new_id(), messages.REQUESTED, {"itemId": item_id, **body}, NOW, subject=user_id)


@asynccontextmanager
async def opened(monolith: MonolithData) -> AsyncIterator[World]:
    """On tables that are migrated first."""
    await migrations.upgrade(monolith.url, "account", MIGRATIONS)
    database = Database(monolith.url, timeout_s=30)
    try:
        yield world(monolith, database)
    finally:
        await database.aclose()


def world(monolith: MonolithData, database: Database) -> World:
    own, clock = OwnTables("account", database.is_sqlite), Clock()
    outbox = Outbox(own, clock)
    tables = define(own)
    store = SqlPurchaseStore(
        database, TransactionContext(tables, build(tables, outbox.table), LegacyPoints(clock), outbox, clock)
    )
    shop = ShopModel(monolith)
    service = PurchaseService(store, shop, clock, SettlementWaiters(0.05))
    return World(monolith, database, tables, outbox, store, clock, shop, service, SagaTimeouts(store, clock))
