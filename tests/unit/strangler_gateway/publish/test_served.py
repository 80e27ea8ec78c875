"""`strangler serve` with a route that becomes a message: both lanes, a broker of its own, a consumer elsewhere."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker
from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import chunked, message
from tests.support.connected import fresh_rabbit
from tests.support.gateway.publishing import ARTICLE, QUEUE, ROUTES, SECRET, TOPOLOGY, Warehouse, bearer
from tests.support.origins import Answer, origin

pytestmark = pytest.mark.walk

OPERATOR = "an-operator-token-of-the-test-run"
BODY = json.dumps({"articleId": ARTICLE}).encode()
HEAD = (b"Host: shop.example", b"Content-Type: application/json")
Start = Callable[..., GatewayProcess]


def raw(*lines: bytes, body: bytes = BODY, user: str = "ada") -> bytes:
    """A request for an order, counted unless it says otherwise."""
    counted = () if any(line.startswith(b"Transfer") for line in lines) else (b"Content-Length: %d" % len(body),)
    return message(b"POST /orders HTTP/1.1", *HEAD, *_said(user), *counted, *lines, body=body)


def _said(user: str) -> list[bytes]:
    return [f"{name}: {value}".encode() for name, value in bearer(user).items()]


@pytest.fixture(params=["tables", pytest.param("rabbit", marks=pytest.mark.connected)])
def broker_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return fresh_rabbit() if request.param == "rabbit" else f"sqlite:///{tmp_path}/broker.db"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway on the broker; the environment adds to it."""
    started: list[GatewayProcess] = []
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)

    def start(broker_url: str, *, state: str = "extracted", **environ: str) -> GatewayProcess:
        routes.write_text(ROUTES.replace("${STATE:-extracted}", state, 1))
        said = {"STRANGLER_BROKER_URL": broker_url, "STRANGLER_OPERATOR_TOKEN": OPERATOR}
        known = {"TEST_KEY": SECRET.decode(), "MONOLITH_PORT": "1"}
        started.append(GatewayProcess(routes, tmp_path / "state", {**said, **known, **environ}))
        return started[-1]

    yield start
    for process in started:
        process.stop()
        assert process.complaints() == []


@pytest.fixture
async def broker(broker_url: str) -> AsyncIterator[Broker]:
    broker = open_broker(broker_url, "warehouse")
    yield broker
    await broker.aclose()


@pytest.fixture
async def warehouse(broker: Broker) -> Warehouse:
    return await Warehouse(broker).open()


async def asked(client: Client, request: bytes) -> Any:
    return await asyncio.to_thread(client.ask, request, b"POST")


async def admin(gateway: GatewayProcess, method: str, path: str, **body: object) -> httpx.Response:
    url, headers = f"http://127.0.0.1:{gateway.admin_port}", {"Authorization": f"Bearer {OPERATOR}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
        return await client.request(method, path, json=body or None)


async def test_orders_go_through_the_broker_and_one_connection_serves_them_all(
    start: Start, broker_url: str, warehouse: Warehouse
) -> None:
    gateway = await asyncio.to_thread(start, broker_url)
    client = gateway.connect()
    for body in (raw(), raw(b"Transfer-Encoding: chunked", body=chunked(BODY[:9], BODY[9:]))):
        answer = await asked(client, body)
        assert (answer.status, answer.get(b"location")) == (204, b"/orders/o-1")
        assert answer.get(b"content-length") is None
    refused = await asked(client, raw(body=b"{}"))
    assert (refused.status, refused.get(b"content-type")) == (400, b"application/problem+json")
    client.send(raw() + raw())
    assert [(await asyncio.to_thread(client.answer)).status for _ in range(2)] == [204, 204]
    assert [(one.subject, one.body) for one in warehouse.taken] == [("ada", {"articleId": ARTICLE})] * 4
    line = await asyncio.to_thread(gateway.logged, '"status":204')
    assert '"route":"order-place"' in line
    assert '"side":"extracted","reason":"state_extracted"' in line
    metrics = (await admin(gateway, "GET", "/metrics")).text
    assert 'strangler_published_total{route="order-place"} 4' in metrics
    assert 'strangler_publish_outcomes_total{route="order-place",outcome="accepted"} 4' in metrics


async def test_who_asks_whether_to_go_on_is_told_so_unless_refused(
    start: Start, broker_url: str, warehouse: Warehouse
) -> None:
    gateway = await asyncio.to_thread(start, broker_url)
    client = gateway.connect()
    head = raw(b"Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    client.send(head)
    await asyncio.to_thread(client.interim)
    client.send(BODY)
    assert (await asyncio.to_thread(client.answer)).status == 204
    client.send(head.replace(b"application/json", b"text/plain"))
    answer = await asyncio.to_thread(client.answer)
    assert (answer.status, answer.interim) == (415, [])


async def test_ten_megabytes_are_refused_without_being_read(
    start: Start, broker_url: str, warehouse: Warehouse
) -> None:
    gateway = await asyncio.to_thread(start, broker_url)
    client = gateway.connect()
    client.send(raw(b"Transfer-Encoding: chunked", body=b"989680\r\n" + b"x" * 4096))
    assert (await asyncio.to_thread(client.answer)).status == 413
    large = gateway.connect()
    large.send(raw(body=b"").replace(b"Content-Length: 0", b"Content-Length: 10000000"))
    assert (await asyncio.to_thread(large.answer)).status == 413
    unwritten = gateway.connect()
    unwritten.send(raw(body=b"").replace(b"/orders", b"/loose").replace(b"Length: 0", b"Length: 65537"))
    assert (await asyncio.to_thread(unwritten.answer)).status == 413
    assert warehouse.taken == []


async def held(start: Start, broker_url: str, warehouse: Warehouse, **environ: str) -> tuple[GatewayProcess, Client]:
    """A gateway, and a client whose order the warehouse has and does not answer."""
    warehouse.held = asyncio.Event()
    gateway = await asyncio.to_thread(start, broker_url, **environ)
    client = gateway.connect()
    client.send(raw())
    await warehouse.took(1)
    return gateway, client


async def test_who_leaves_leaves_the_message_and_frees_the_place(
    start: Start, broker: Broker, broker_url: str, warehouse: Warehouse
) -> None:
    gateway, client = await held(start, broker_url, warehouse, STRANGLER_MAX_WAITING="1")
    client.close()
    await asyncio.to_thread(gateway.logged, '"failed":"client"')
    assert warehouse.held is not None
    warehouse.held.set()
    assert (await asked(gateway.connect(), raw())).status == 204
    async with asyncio.timeout(60):
        while await broker.depth(QUEUE):
            await asyncio.sleep(0.01)
    assert len(warehouse.taken) == 2


async def test_a_graceful_end_waits_for_the_consumers_word(start: Start, broker_url: str, warehouse: Warehouse) -> None:
    gateway, client = await held(start, broker_url, warehouse)
    gateway.signal()
    await asyncio.to_thread(gateway.logged, "stopping")
    assert warehouse.held is not None
    warehouse.held.set()
    answer = await asyncio.to_thread(client.answer)
    assert (answer.status, await asyncio.to_thread(gateway.ends, 20.0)) == (204, 0)


async def test_a_killed_gateway_has_not_lost_what_the_broker_confirmed(
    start: Start, broker_url: str, broker: Broker
) -> None:
    warehouse = Warehouse(broker, word=None)
    await broker.declare(TOPOLOGY)
    gateway = await asyncio.to_thread(start, broker_url, WAIT_S="0")
    for _ in range(3):
        assert (await asked(gateway.connect(), raw(b"Idempotency-Key: one"))).status == 202
    gateway.was_signalled = True
    gateway.process.kill()
    await warehouse.open()
    assert len({one.id for one in await warehouse.took(3)}) == 1


async def test_a_flip_needs_broker_and_queue_a_rollback_nothing(start: Start, broker_url: str, broker: Broker) -> None:
    async with origin(lambda _: Answer(404, b"{}")) as monolith:
        gateway = await asyncio.to_thread(start, broker_url, state="legacy", MONOLITH_PORT=str(monolith.port))
        assert (await asked(gateway.connect(), raw())).status == 404
        wish = {"unit": "orders", "to": "canary", "share": 100, "why": "t"}
        refused = await admin(gateway, "POST", "/flip", **wish)
        assert refused.status_code == 409
        [reason] = refused.json()["refusals"]
        assert reason["code"] == "unreachable"
        assert "message order.requested.v1 to orders would not arrive" in reason["message"]
        assert QUEUE in reason["message"]
        warehouse = await Warehouse(broker).open()
        assert (await admin(gateway, "POST", "/flip", **wish)).json()["done"]
        assert (await asked(gateway.connect(), raw())).status == 204
        assert (await admin(gateway, "POST", "/rollback", unit="orders")).status_code == 200
        assert (await asked(gateway.connect(), raw())).status == 404
    assert len(warehouse.taken) == 1
    told = (await admin(gateway, "GET", "/explain?method=POST&path=/orders&user=ada")).json()
    assert (told["side"], told["service"], told["publish"]) == ("legacy", "monolith", None)
    shown = {route["id"]: route for route in (await admin(gateway, "GET", "/routes")).json()["routes"]}
    assert shown["order-place"]["publish"] == "message order.requested.v1 to orders"
    assert shown["order-place"]["requests"] == {"legacy": 2, "extracted": 1}


async def test_a_broker_that_is_away_at_the_start_is_503_until_it_is_there(tmp_path: Path, start: Start) -> None:
    url = f"sqlite:///{tmp_path}/later/broker.db"
    async with origin(lambda _: Answer(299)) as monolith:
        gateway = await asyncio.to_thread(start, url, MONOLITH_PORT=str(monolith.port), CONFIRM_S="1")
        client = gateway.connect()
        answer = await asked(client, raw())
        assert (answer.status, answer.get(b"retry-after")) == (503, b"5")
        assert (await asked(client, message(b"GET /other HTTP/1.1", HEAD[0]))).status == 299
        line = await asyncio.to_thread(gateway.logged, "publish of order-place")
        assert '"level"' not in line or "warning" in line
        (tmp_path / "later").mkdir()
        broker = open_broker(url, "warehouse")
        await Warehouse(broker).open()
        async with asyncio.timeout(60):
            while (await asked(client, raw())).status != 204:
                pass
        await broker.aclose()


def test_the_gateway_needs_no_library_of_a_broker() -> None:
    program = "import sys, strangler_gateway.main; print(sorted({'aiormq', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["amqp://", "mqtt://ada:hidden@broker", "sqlite://", "amqp://ada:hidden@:x/"])
def test_an_address_that_is_none_ends_the_start_without_repeating_it(tmp_path: Path, url: str) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", "--routes", str(routes), "--port", "0"]
    environ = {"STRANGLER_BROKER_URL": url, "MONOLITH_PORT": "1", "TEST_KEY": "k", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environ)
    assert (done.returncode, "Traceback" in done.stderr, "hidden" in done.stderr + done.stdout) == (1, False, False)
    assert re.search("strangler cannot start: .*broker", done.stderr)
