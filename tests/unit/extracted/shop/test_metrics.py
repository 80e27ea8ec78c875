"""What Prometheus reads of the shop: open as health is, numbers alone."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.topology import load
from extracted.shop.main import TOPOLOGY
from tests.support.monolith.monolith_file import MonolithFile
from tests.support.system.waiting import until
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import Answer, Gateway, RunningShop, ask, migrated, running_seller

pytestmark = pytest.mark.walk
AGO = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
MESSAGE = "INSERT INTO shop_outbox (message_id, destination, created_at, properties, body) "
MESSAGE += "VALUES (?, 'nowhere some.type.v1', ?, '{}', '{}')"
FAILED = "INSERT INTO shop_parked (id, queue, properties, size, reason, attempts, first_at, last_at) "
FAILED += "VALUES (?, 'shop.commands', '{}', 0, ?, 1, ?, ?)"


@pytest.fixture
def measured_shop(own_file: MonolithFile, gateway: Gateway, tmp_path: Path) -> Iterator[RunningShop]:
    """With two messages that do not get away, and three that failed, for two reasons."""
    migrated(own_file.url)
    with closing(sqlite3.connect(own_file.path)) as connection, connection:
        connection.executemany(MESSAGE, [("a", AGO), ("b", AGO)])
        connection.executemany(FAILED, [(id, f"secret {id in 'pq'}", AGO, AGO) for id in "pqr"])
    with running_seller(own_file.url, gateway, tmp_path) as shop:
        yield shop


def measured(shop: RunningShop) -> tuple[Answer, dict[str, float]]:
    answer = ask(shop.port, "/metrics", "GET", {})
    rows = [line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return answer, {name: float(value) for name, _, value in rows}


def test_anybody_reads_numbers_and_nothing_else_and_held_commands_are_counted(
    measured_shop: RunningShop, own_file: MonolithFile, shop: RunningShop, tmp_path: Path
) -> None:
    answer, values = measured(measured_shop)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 3600 <= values.pop('shop_outbox_oldest_seconds{destination="nowhere some.type.v1"}') < 7200
    assert values == {
        'shop_outbox_waiting{destination="nowhere some.type.v1"}': 2,
        'shop_parked_messages{queue="shop.commands"}': 3,
        "shop_held_messages": 0,
    }
    assert b"secret" not in answer.body
    with closing(sqlite3.connect(own_file.path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")  # nobody else writes; all read
        asyncio.run(command(tmp_path))
        until(lambda: measured(measured_shop)[1]["shop_held_messages"] == 1, "it is held")
    until(lambda: measured(measured_shop)[1]["shop_held_messages"] == 0, "it is handled")
    assert ask(shop.port, "/metrics", "GET", {}).status == 404  # it does not sell


async def command(folder: Path) -> None:
    """Somebody's wish, in the shop's queue."""
    broker = open_broker(f"sqlite:///{folder / 'broker.sqlite3'}", "account")
    await broker.declare(load(TOPOLOGY))
    await broker.publish("purchases.commands", decrease(purchase()))
    await broker.aclose()
