"""A running purchasing system for fault scenarios: new users and items, faults, and the audit at rest."""

import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, create_engine, text

from parts.servers import rabbit
from tests.support.connected import RABBIT_MANAGEMENT_URL, fresh_rabbit
from tests.support.stores import on_real_parts, on_sqlite
from tests.support.system.books import Books, Reader
from tests.support.system.crowd import Crowd, Order, Wish, by_key, mixed
from tests.support.system.invariants import Known, breaches, terminal_changed
from tests.support.system.meddling import Meddler, RabbitMeddler, SqliteMeddler
from tests.support.system.processes import Process
from tests.support.system.purchasing import System, system
from tests.support.system.tally import Tally, tally
from tests.support.system.tcp_proxy import TcpProxy
from tests.support.system.waiting import POLL_S, until

SERVICES = ("shop", "account", "gateway")
AT_REST_WITHIN_S = 120
PATIENT, IMPATIENT = 25, 3
"""Seconds until a purchase is cancelled: longer than a process start on a busy machine, or short."""


@dataclass(frozen=True, slots=True)
class Buyer:
    user_id: str
    token: str

    def wish(self, item_id: str, key: str | None = None) -> Wish:
        """By `POST /purchases`; with a new key by default."""
        return by_key(self.user_id, self.token, item_id, key)

    def call(self, item_id: str) -> Wish:
        """By the monolith's call."""
        return Wish(self.user_id, self.token, item_id)


@dataclass
class Scene:
    """`broker`, `database`: proxies before them; None on embedded parts."""

    system: System
    meddler: Meddler
    books: Reader
    broker: TcpProxy | None = None
    database: TcpProxy | None = None
    services: tuple[str, ...] = SERVICES
    granted: dict[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    @property
    def account(self) -> Process:
        return self.system.account

    @property
    def shop(self) -> Process:
        return self.system.shop

    @property
    def is_embedded(self) -> bool:
        return self.broker is None

    def buyer(self, points: int = 100) -> Buyer:
        user_id = self.system.data.add_user("guest", "user", points=points)
        self.granted[user_id] = points
        return Buyer(user_id, self.system.data.login(user_id))

    def item(self, cost: int = 10, left: int | None = None) -> str:
        """`left`: the stock; None: unlimited."""
        item_id = self.system.data.add_item(cost=cost)
        if left is not None:
            row = {"id": item_id, "left": left, "at": datetime.now(UTC)}
            columns = "(item_id, initial, restocked, sold, available, changed_at)"
            self.run(f"INSERT INTO {self.table('shop', 'stock')} {columns} VALUES (:id, :left, 0, 0, :left, :at)", row)
        return item_id

    def load(self, number: int, seed: int) -> list[Wish]:
        """Wishes of six new buyers for three new items, one unlimited."""
        buyers = [self.buyer(points=60) for _ in range(6)]
        items = [self.item(cost=10, left=4), self.item(cost=20), self.item(cost=25, left=2)]
        return mixed(((buyer.user_id, buyer.token) for buyer in buyers), items, number, seed)

    def restock(self, item_id: str, more: int) -> None:
        stock = self.table("shop", "stock")
        changed = "available = available + :n, restocked = restocked + :n"
        self.run(f"UPDATE {stock} SET {changed} WHERE item_id = :id", {"n": more, "id": item_id})

    def table(self, service: str, name: str) -> str:
        """The table's name in the database."""
        return f"{service}{'_' if self.is_embedded else '.'}{name}"

    def run(self, statement: str, values: dict[str, object] | None = None) -> None:
        """Runs a statement on the business database, without the proxy."""
        with self.connected() as connection:
            connection.execute(text(statement), values or {})

    def count(self, rows: str) -> int:
        """`rows`: a table, with or without WHERE."""
        with self.connected() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one())

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connects to the business database without the proxy; commits at the end of the block."""
        url = self.system.stores.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        engine = create_engine(url, connect_args={"timeout": 60} if self.is_embedded else {})
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def ask(self, *wishes: Wish, tries: int = 1, at_once: int = 8) -> list[Order]:
        """Waits for the answers, and keeps them for the audit."""
        orders = Crowd(self.system, at_once, tries).ask(wishes)
        self.orders += orders
        return orders

    @contextmanager
    def asking(self, *wishes: Wish, tries: int = 1, at_once: int = 8) -> Iterator[Future[list[Order]]]:
        """Asks while the block runs."""
        with ThreadPoolExecutor(1) as aside:
            future = aside.submit(Crowd(self.system, at_once, tries).ask, wishes)
            yield future
            self.orders += future.result()

    def purchase(self, buyer: Buyer, item_id: str) -> dict[str, Any] | None:
        """The newest purchase of this buyer and item."""
        found = [
            row
            for row in self.books.read().purchases.values()
            if (row["user_id"], row["item_id"]) == (buyer.user_id, item_id)
        ]
        return dict(max(found, key=lambda row: str(row["created_at"]))) if found else None

    def purchase_id(self, buyer: Buyer, item_id: str) -> str:
        """Empty if there is none yet."""
        purchase = self.purchase(buyer, item_id)
        return str(purchase["id"]) if purchase else ""

    def state(self, buyer: Buyer, item_id: str) -> str | None:
        purchase = self.purchase(buyer, item_id)
        return str(purchase["state"]) if purchase else None

    def reaches(self, buyer: Buyer, item_id: str, *states: str, within_s: float = 90) -> str | None:
        """Waits for one of these states."""
        what = f"a purchase in {' or '.join(states)}"
        until(lambda: self.state(buyer, item_id) in states, what, within_s)
        return self.state(buyer, item_id)

    def parkings(self) -> int:
        """How often a message has failed so far, including those handled since."""
        return sum(process.said().count('"message_parked"') for process in (self.account, self.shop))

    def send(self, queue: str, kind: str, body: object, **properties: object) -> str:
        """Sends a forged message, and returns its id."""
        own = {"id": str(uuid.uuid4()), "type": kind, "time": datetime.now(UTC).isoformat()} | properties
        self.meddler.put(queue, own, json.dumps(body).encode())
        return str(own["id"])

    def at_rest(self, within_s: float = AT_REST_WITHIN_S) -> tuple[Books, Tally]:
        """Waits until every purchase is terminal and every message is sent; fails with all breaches of I1 to I8."""
        found, counted, wrong = self.audited(within_s)
        assert not wrong, "\n".join(wrong)
        return found, counted

    def ends(self, state: str, *purchases: tuple[Buyer, str], within_s: float = AT_REST_WITHIN_S) -> Books:
        """At rest, with the purchases of these buyers and items in that state."""
        books, _ = self.at_rest(within_s)
        assert {self.state(buyer, item) for buyer, item in purchases} == {state}
        return books

    def parked(self, queue: str) -> dict[str, Mapping[str, Any]]:
        """Failed messages of that queue by message id."""
        return {row["message_id"]: row for row in self.books.read().parked if row["queue"] == queue}

    def unpublished(self, service: str) -> list[str]:
        """Its messages that the broker has not confirmed."""
        return [one for one in self.books.read().unpublished if one.startswith(service)]

    def audited(self, within_s: float) -> tuple[Books, Tally, list[str]]:
        """At rest, or when time is up: the books, their comparison with the answers, and all breaches."""
        begun = self.books.read()
        found = self._rested(monotonic() + within_s)
        counted = tally(found, self.orders)
        wrong = [*breaches(found, Known(self.granted)), *terminal_changed(begun, found), *counted.breaches]
        return found, counted, wrong

    def _rested(self, deadline: float) -> Books:
        while True:
            found = self.books.read()
            if self._is_at_rest(found) or monotonic() > deadline:
                return found
            sleep(POLL_S)

    def _is_at_rest(self, found: Books) -> bool:
        named = {order.named for order in self.orders if order.status in (202, 204)}
        is_open = any(row["state"] in ("DEBITED", "CANCELLING") for row in found.purchases.values())
        return not is_open and not found.unpublished and named <= found.requests.keys() | found.purchases.keys()

    def emptied(self, within_s: float = 90) -> None:
        """Waits until all queues are empty, late copies included."""
        until(lambda: self.meddler.lying() == 0, "all queues empty", within_s, 0.2)

    def heal(self) -> None:
        """Removes all faults; restarts processes that are not in their normal state."""
        for proxy in (self.broker, self.database):
            if proxy is not None:
                proxy.heal()
        self.meddler.heal()
        for process in [*self.system.others]:
            if process.is_running:
                process.stop()
        self.system.others.clear()
        processes: list[Process] = [getattr(self.system, name) for name in self.services]
        for process in processes:
            process.arm()
            if process.is_running and not process.is_as_meant:
                process.stop()
        ended = [process.launch() for process in processes if not process.is_running]
        for process in ended:
            process.listening()


@contextmanager
def embedded(
    folder: Path, cancel_after_s: int = PATIENT, data: Path | None = None, services: tuple[str, ...] = SERVICES
) -> Iterator[Scene]:
    """SQLite (its file in `data`, if given), and the SQLite broker in a second file. `services`: all processes."""
    path = folder / "broker.sqlite3"
    url = f"sqlite:///{path}?lease_s=2"
    with (
        system(folder, on_sqlite(data or folder), url, more={"account": _pace(cancel_after_s)}) as running,
        _started(running, SqliteMeddler(path), services=services) as scene,
    ):
        yield scene


@contextmanager
def on_parts(
    folder: Path,
    cancel_after_s: int = PATIENT,
    server: rabbit.RabbitServer | None = None,
    environ: Mapping[str, str] | None = None,
    services: tuple[str, ...] = SERVICES,
) -> Iterator[Scene]:
    """PostgreSQL, FerretDB and RabbitMQ (`server`, or the shared one). PostgreSQL and RabbitMQ have proxies.

    `environ`: more variables for all processes.
    """
    url = fresh_rabbit() if server is None else server.url
    management = RABBIT_MANAGEMENT_URL if server is None else server.management_url
    stores = on_real_parts(folder)
    with TcpProxy(_port(url)) as broker, TcpProxy(_port(stores.database_url)) as database:
        more = {
            name: {
                f"{name.upper()}_BROKER_URL": broker.through(url),
                f"{name.upper()}_DATABASE_URL": database.through(stores.database_url),
            }
            for name in ("account", "shop", "learning")
        }
        more["account"] |= _pace(cancel_after_s)
        more["gateway"] = {"STRANGLER_BROKER_URL": broker.through(url)}
        more = {name: own | dict(environ or {}) for name, own in more.items()}
        with (
            system(folder, stores, url, more=more) as running,
            _started(running, RabbitMeddler(url, management), broker, database, services) as scene,
        ):
            try:
                yield scene
            finally:
                broker.heal()
                database.heal()


@contextmanager
def _started(
    running: System,
    meddler: Meddler,
    broker: TcpProxy | None = None,
    database: TcpProxy | None = None,
    services: tuple[str, ...] = SERVICES,
) -> Iterator[Scene]:
    running.migrate()
    running.start(*services)
    books = Reader(running.stores)
    try:
        yield Scene(running, meddler, books, broker, database, services)
    finally:
        books.close()


def _pace(cancel_after_s: int) -> dict[str, str]:
    return {"ACCOUNT_ASK_AGAIN_S": "1", "ACCOUNT_CANCEL_AFTER_S": str(cancel_after_s)}


def _port(url: str) -> int:
    return urlsplit(url).port or 0
