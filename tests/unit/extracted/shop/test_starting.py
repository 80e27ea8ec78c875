"""How a shop that sells starts: its tables made first, its queues as wanted, whatever is away waited for."""

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology, load
from extracted.shop.main import TOPOLOGY
from tests.support.connected import fresh_postgres, fresh_rabbit
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import (
    OPERATOR_TOKEN,
    ROOT,
    START_TIMEOUT_S,
    Gateway,
    ask,
    bearer,
    migrated,
    running_shop,
)

pytestmark = pytest.mark.walk

JWKS = "http://127.0.0.1:1/jwks.json"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")} | variables
    command = [sys.executable, "-m", "extracted.shop", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )


@pytest.fixture
def file(tmp_path: Path) -> MonolithFile:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    file.close()
    return file


def broker_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def test_without_its_tables_it_does_not_start_and_says_what_to_do(file: MonolithFile, tmp_path: Path) -> None:
    own = {"SHOP_DATABASE_URL": file.url, "SHOP_JWKS_URL": JWKS, "SHOP_BROKER_URL": broker_of(tmp_path)}
    ended = run("--port", "0", **own)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "run `python -m extracted.shop migrate`" in ended.stderr


def test_migrate_makes_them_needs_the_database_alone_and_does_nothing_twice(file: MonolithFile) -> None:
    for _ in range(2):
        done = run("migrate", SHOP_DATABASE_URL=file.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the tables of shop are up to date\n"
    with sqlite3.connect(file.path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'shop_%'")}
    assert {"shop_decisions", "shop_stock", "shop_outbox", "shop_inbox", "shop_parked"} <= names


@pytest.mark.connected
def test_migrate_makes_them_on_postgresql_in_a_schema_of_their_own() -> None:
    done = run("migrate", SHOP_DATABASE_URL=fresh_postgres())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("sqlite:////nowhere/at/all", 1, "the database does not answer"),
        ("postgresql://x@127.0.0.1:1/x", 1, "the database does not answer"),
        ("nonsense", 2, "wanted sqlite:///PATH"),
        ("", 2, "SHOP_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_migrated_is_told_in_a_sentence(url: str, code: int, said: str) -> None:
    ended = run("migrate", SHOP_DATABASE_URL=url)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (code, 1)
    assert said in ended.stderr


@pytest.mark.parametrize("url", ["nonsense", "redis://:secret@x", "sqlite://secret/x"])
def test_a_broker_url_that_cannot_be_used_ends_it(file: MonolithFile, url: str) -> None:
    ended = run("--port", "0", SHOP_DATABASE_URL=file.url, SHOP_JWKS_URL=JWKS, SHOP_BROKER_URL=url)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "amqp://" in ended.stderr
    assert "secret" not in ended.stderr


def test_a_broker_that_is_away_is_waited_for_and_the_rest_serves(gateway: Gateway, file: MonolithFile) -> None:
    migrated(file.url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    own = {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}/", "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(file.url, gateway, **own) as shop:
        assert ask(shop.port, "/health/ready", "GET", {}).status == 200
        status = json.loads(ask(shop.port, "/internal/status", "GET", bearer(OPERATOR_TOKEN)).body)
        assert status["consumer"]["isConsuming"] is False


def other_queues() -> Topology:
    """As somebody has made them by hand."""
    wanted = load(TOPOLOGY).owned_by("shop")
    return Topology(wanted.writers, tuple(replace(queue, max_length=7) for queue in wanted.queues))


async def declared(url: str, topology: Topology) -> None:
    broker = open_broker(url, "somebody")
    try:
        await broker.declare(topology)
    finally:
        await broker.aclose()


@pytest.mark.parametrize("broker", ["tables", pytest.param("rabbit", marks=pytest.mark.connected)])
def test_queues_that_are_not_as_wanted_end_it_with_a_sentence(file: MonolithFile, tmp_path: Path, broker: str) -> None:
    url = broker_of(tmp_path) if broker == "tables" else fresh_rabbit()
    asyncio.run(declared(url, other_queues()))
    migrated(file.url)
    ended = run("--port", "0", SHOP_DATABASE_URL=file.url, SHOP_JWKS_URL=JWKS, SHOP_BROKER_URL=url)
    assert ended.returncode == 1
    assert "shop.commands" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_queues_are_looked_at_while_the_database_is_away(tmp_path: Path) -> None:
    url = broker_of(tmp_path)
    asyncio.run(declared(url, other_queues()))
    away = f"sqlite:///{tmp_path / 'not there.sqlite3'}"
    ended = run("--port", "0", SHOP_DATABASE_URL=away, SHOP_JWKS_URL=JWKS, SHOP_BROKER_URL=url)
    assert ended.returncode == 1
    assert "shop.commands" in ended.stderr


def test_a_database_that_comes_later_is_waited_for(gateway: Gateway, tmp_path: Path) -> None:
    """What came meanwhile is held, and decided when its tables are there."""
    path, url = tmp_path / "monolith.sqlite3", broker_of(tmp_path)
    with running_shop(f"sqlite:///{path}", gateway, BROKER_URL=url, OPERATOR_TOKEN=OPERATOR_TOKEN) as shop:
        assert ask(shop.port, "/health/ready", "GET", {}).status == 503
        wanted = purchase()
        asyncio.run(published(url, decrease(wanted)))
        file = MonolithFile(path)
        file.add_user(user_id=wanted.user_id)
        migrated(file.url)
        file.close()
        asyncio.run(decided(shop.port, wanted.id))


async def published(url: str, command: Envelope) -> None:
    broker = open_broker(url, "account")
    try:
        await broker.declare(load(TOPOLOGY))
        await broker.publish("purchases.commands", command)
    finally:
        await broker.aclose()


async def decided(port: int, purchase_id: str) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            answer = ask(port, "/internal/decisions", "GET", bearer(OPERATOR_TOKEN))
            rows = json.loads(answer.body)["rows"] if answer.status == 200 else []
            if purchase_id in [row["id"] for row in rows]:
                return
            await asyncio.sleep(0.05)
