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
from tests.support.monolith_file import MonolithFile
from tests.support.system.waiting import until
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import (
    ROOT,
    Answer,
    Gateway,
    RunningShop,
    ask,
    migrated,
    running_seller,
    running_shop,
)

pytestmark = pytest.mark.walk
AGO = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
MESSAGE = "INSERT INTO shop_outbox (message_id, destination, created_at, properties, body) "
MESSAGE += "VALUES (?, 'nowhere some.type.v1', ?, '{}', '{}')"
PARKED = "INSERT INTO shop_parked (id, queue, properties, size, reason, attempts, first_at, last_at) "
PARKED += "VALUES (?, 'shop.commands', '{}', 0, ?, 1, ?, ?)"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture
def shop(file: MonolithFile, gateway: Gateway, tmp_path: Path) -> Iterator[RunningShop]:
    """With two messages that do not get away, and three that are parked, for two reasons."""
    migrated(file.url)
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.executemany(MESSAGE, [("a", AGO), ("b", AGO)])
        connection.executemany(PARKED, [(id, f"secret {id in 'pq'}", AGO, AGO) for id in "pqr"])
    with running_seller(file.url, gateway, tmp_path) as shop:
        yield shop


def measured(shop: RunningShop) -> tuple[Answer, dict[str, float]]:
    answer = ask(shop.port, "/metrics", "GET", {})
    rows = [line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return answer, {name: float(value) for name, _, value in rows}


def test_anybody_reads_numbers_and_nothing_else(shop: RunningShop) -> None:
    answer, values = measured(shop)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    oldest_s = values.pop('shop_outbox_oldest_s{destination="nowhere some.type.v1"}')
    assert 3600 <= oldest_s < 7200
    assert values == {
        'shop_outbox_waiting{destination="nowhere some.type.v1"}': 2,
        'shop_parked_messages{queue="shop.commands"}': 3,
        "shop_held_messages": 0,
    }
    assert b"secret" not in answer.body


def test_a_command_that_waits_for_the_store_is_counted_as_long_as_it_does(
    shop: RunningShop, file: MonolithFile, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file.path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")  # nobody else writes; all read
        asyncio.run(command(tmp_path))
        until(lambda: measured(shop)[1]["shop_held_messages"] == 1, "it is held")
    until(lambda: measured(shop)[1]["shop_held_messages"] == 0, "it is handled")


def test_a_shop_that_does_not_sell_has_nothing_to_measure(file: MonolithFile, gateway: Gateway) -> None:
    with running_shop(file.url, gateway) as shop:
        assert ask(shop.port, "/metrics", "GET", {}).status == 404


async def command(folder: Path) -> None:
    """Somebody's wish, in the shop's queue."""
    broker = open_broker(f"sqlite:///{folder / 'broker.sqlite3'}", "account")
    await broker.declare(load(ROOT / "extracted/topology.yaml"))
    await broker.publish("purchases.commands", decrease(purchase()))
    await broker.aclose()
