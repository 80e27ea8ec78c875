"""The shop as a process: how it starts, how it says that it cannot, what it waits for, what it logs, how it ends."""

import asyncio
import json
import signal
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology, load
from extracted.shop.main import TOPOLOGY
from tests.support.connected import fresh_postgres, fresh_rabbit
from tests.support.monolith.monolith_file import MonolithFile
from tests.support.system.waiting import until
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import (
    ADMIN,
    OPERATOR_TOKEN,
    START_TIMEOUT_S,
    Gateway,
    RunningShop,
    ask,
    bearer,
    migrated,
    run,
    running_shop,
    stop,
)  # fmt: skip

pytestmark = pytest.mark.walk

JWKS = "http://127.0.0.1:1/jwks.json"


@pytest.fixture
def file(tmp_path: Path) -> MonolithFile:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    file.close()
    return file


@pytest.fixture
def broker_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'broker.sqlite3'}"


def refused_start(code: int, **settings: str) -> str:
    """What it says instead of serving: one sentence."""
    ended = run("--port", "0", **{f"SHOP_{name}": value for name, value in ({"JWKS_URL": JWKS} | settings).items()})
    assert (ended.returncode, len(ended.stderr.splitlines())) == (code, 1), ended.stderr
    return ended.stderr


def test_help_names_the_settings() -> None:
    shown = run("--help")
    words = {word.strip("[],;.") for word in shown.stdout.replace("[", " ").split()}
    assert (shown.returncode, {"SHOP_DATABASE_URL", "SHOP_JWKS_URL", "--port"} <= words) == (0, True)


def test_wrong_settings_are_all_named_and_never_shown() -> None:
    ended = run("--port", "0", SHOP_ENVIRONMENT="staging", SHOP_DATABASE_URL="sqlite:///x?password=tell-nobody")
    assert ended.returncode == 2
    assert {line.partition(":")[0] for line in ended.stderr.splitlines()} == {"SHOP_JWKS_URL", "SHOP_ENVIRONMENT"}
    assert "tell-nobody" not in ended.stderr


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        *(({"DATABASE_URL": url}, "sqlite:///PATH") for url in ("nonsense", "sqlite://", "sqlite:///:memory:")),
        *(({"BROKER_URL": url}, "amqp://") for url in ("nonsense", "redis://:secret@x", "sqlite://secret/x")),
    ],
)
def test_a_url_that_cannot_be_used_ends_it(file: MonolithFile, wrong: dict[str, str], wanted: str) -> None:
    said = refused_start(2, **({"DATABASE_URL": file.url} | wrong))
    assert (wanted in said, "secret" in said) == (True, False)


def test_without_its_tables_it_does_not_start_and_says_what_to_do(file: MonolithFile, broker_url: str) -> None:
    said = refused_start(1, DATABASE_URL=file.url, BROKER_URL=broker_url)
    assert "run `python -m extracted.shop migrate`" in said


def test_a_port_that_is_taken_ends_it(file: MonolithFile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port, SHOP_DATABASE_URL=file.url, SHOP_JWKS_URL=JWKS)
    assert (ended.returncode, json.loads(ended.stderr)["event"]) == (1, "cannot_listen")


def test_migrate_makes_its_tables_needs_the_database_alone_and_does_nothing_twice(file: MonolithFile) -> None:
    for _ in range(2):
        done = run("migrate", SHOP_DATABASE_URL=file.url)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "the tables of shop are up to date\n")
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
        ("nonsense", 2, "sqlite:///PATH"),
        ("", 2, "SHOP_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_migrated_is_told_in_a_sentence(url: str, code: int, said: str) -> None:
    ended = run("migrate", SHOP_DATABASE_URL=url)
    assert (ended.returncode, len(ended.stderr.splitlines()), said in ended.stderr) == (code, 1, True)


@pytest.mark.parametrize("broker", ["tables", pytest.param("rabbit", marks=pytest.mark.connected)])
def test_queues_that_differ_end_it_with_a_sentence_also_while_the_database_is_away(
    file: MonolithFile, broker_url: str, tmp_path: Path, broker: str
) -> None:
    url = broker_url if broker == "tables" else fresh_rabbit()
    wanted = load(TOPOLOGY).owned_by("shop")
    by_hand = Topology(wanted.writers, tuple(replace(queue, max_length=7) for queue in wanted.queues))
    asyncio.run(at_broker(url, by_hand))
    migrated(file.url)
    for database in (file.url, f"sqlite:///{tmp_path / 'not there.sqlite3'}"):
        assert "shop.commands" in refused_start(1, DATABASE_URL=database, BROKER_URL=url)


async def at_broker(url: str, topology: Topology, *commands: Envelope) -> None:
    broker = open_broker(url, "account")
    try:
        await broker.declare(topology)
        for command in commands:
            await broker.publish("purchases.commands", command)
    finally:
        await broker.aclose()


def test_a_broker_that_is_away_is_waited_for_and_the_rest_serves(gateway: Gateway, file: MonolithFile) -> None:
    migrated(file.url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    own = {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}/", "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(file.url, gateway, **own) as shop:
        assert ask(shop.port, "/health/ready", "GET", {}).status == 200
        status = json.loads(ask(shop.port, "/internal/status", "GET", bearer(OPERATOR_TOKEN)).body)
        assert status["consumer"]["isConsuming"] is False


def test_a_database_that_comes_later_is_waited_for(gateway: Gateway, tmp_path: Path, broker_url: str) -> None:
    """What came meanwhile is held, and decided when its tables are there."""
    path, wanted = tmp_path / "monolith.sqlite3", purchase()
    with running_shop(f"sqlite:///{path}", gateway, BROKER_URL=broker_url, OPERATOR_TOKEN=OPERATOR_TOKEN) as shop:
        assert [ask(shop.port, f"/health/{what}", "GET", {}).status for what in ("live", "ready")] == [200, 503]
        assert shop.ask("/item", ADMIN).body == b'{"statusCode":500,"message":"Internal Server Error"}'
        assert not path.exists()
        asyncio.run(at_broker(broker_url, load(TOPOLOGY), decrease(wanted)))
        file = MonolithFile(path)
        file.add_user(user_id=wanted.user_id)
        migrated(file.url)
        file.close()
        assert ask(shop.port, "/health/ready", "GET", {}).status == 200
        assert shop.ask("/item", ADMIN).status == 200
        until(lambda: wanted.id in decided(shop), "it is decided")


def decided(shop: RunningShop) -> list[str]:
    answer = ask(shop.port, "/internal/decisions", "GET", bearer(OPERATOR_TOKEN))
    return [row["id"] for row in json.loads(answer.body)["rows"]] if answer.status == 200 else []


def test_without_the_gateways_keys_nobody_can_be_told_apart(monolith: MonolithFile, gateway: Gateway) -> None:
    with running_shop(monolith.url, gateway, JWKS_URL=JWKS) as shop:
        assert shop.ask("/item", ADMIN).status == 503


def test_what_nobody_expected_is_logged_and_not_shown(gateway: Gateway, tmp_path: Path) -> None:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    item = file.add_item()
    file.break_item(item)
    with running_shop(file.url, gateway) as shop:
        answer = shop.ask(f"/item/{item}", ADMIN, headers={"X-Request-Id": "request-7", "Origin": "https://a.example"})
        assert (answer.status, answer.body) == (500, b'{"statusCode":500,"message":"Internal server error"}')
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        (line,) = [line for line in shop.logged() if line["event"] == "unexpected_error"]
    told = [line[name] for name in ("request_id", "path", "level", "service")]
    assert told == ["request-7", f"/item/{item}", "error", "shop"]
    assert "Traceback" in str(line["exception"])


def test_sigterm_finishes_what_is_under_way_and_ends_well(gateway: Gateway, monolith: MonolithFile) -> None:
    with running_shop(monolith.url, gateway) as shop, socket.create_connection(("127.0.0.1", shop.port)) as client:
        client.settimeout(START_TIMEOUT_S)
        client.sendall(
            b"GET /item HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{b"
        )
        ask(shop.port, "/health/live", "GET", {})  # what was sent before on another connection has been read by then
        shop.process.send_signal(signal.SIGTERM)
        while _accepts(shop.port):
            pass
        client.sendall(b"ad")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert stop(shop.process) == 0


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT_S).close()
    except ConnectionError:
        return False
    return True
