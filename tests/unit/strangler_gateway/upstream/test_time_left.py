"""A request that has waited tells its service what is left of its time, and is not waited for any longer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from time import monotonic
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from chassis.database.database import Database
from chassis.service import web
from chassis.store import StoreUnavailable
from strangler_gateway.config.file import load
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.upstream.time_left import telling, told_ms
from tests.support.connected import fresh_postgres
from tests.support.gateway.exchanges import signer
from tests.support.gateway.publishing import served
from tests.support.origins import Answer, origin

ROUTES = """
version: 1
services:
  monolith: {url: "http://127.0.0.1:1"}
  shop: {url: "http://127.0.0.1:%d", timeout_s: {response: %d}, max_concurrency: 1, queue: {wait: 5s}, breaker: off}
routes: [{id: all, match: {path: "/{rest...}"}, legacy: monolith, extracted: shop, state: extracted}]
"""
HEAD = b"GET / HTTP/1.1\r\nX: Strangler-Timeout-Ms: 5\r\nStrangler-Timeout-Ms: 1000\r\nY: 1\r\n\r\n"


@pytest.mark.parametrize(("left_ms", "told"), [(250, b"250"), (0, b"1"), (-9, b"1")])
def test_the_line_of_the_gateway_alone_changes(left_ms: int, told: bytes) -> None:
    assert told_ms(HEAD) == 1000
    assert telling(HEAD, left_ms) == HEAD.replace(b"1000", told)
    assert told_ms(HEAD.replace(b"\r\nStrangler", b"\r\nX-Strangler")) is None


@asynccontextmanager
async def before(port: int, response_s: int = 1) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway before a service at this port, which has so many seconds for an answer."""
    table = load(ROUTES % (port, response_s), {})
    gateway = Gateway(Settings.model_validate({}), table, Outside(AccessLog(BytesIO()), signer()))
    sweeping = asyncio.create_task(_sweep(gateway))
    async with served(gateway) as client:
        yield client
    sweeping.cancel()


async def _sweep(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(0.05)
        gateway.upstreams.sweep()


async def test_who_has_waited_for_a_place_has_less_time_and_gets_its_answer_within_it() -> None:
    first, told = asyncio.Event(), list[int]()

    async def answer(request: Any) -> Answer:
        told.append(int(request.fields[b"strangler-timeout-ms"]))
        if len(told) == 1:
            await first.wait()
            return Answer()
        await asyncio.Event().wait()
        raise ConnectionError

    async with origin(answer) as upstream, before(upstream.port, response_s=4) as client:
        holding = asyncio.create_task(client.get("/first"))
        while not told:
            await asyncio.sleep(0.001)
        begun = monotonic()
        waiting = asyncio.create_task(client.get("/second"))
        await asyncio.sleep(1.6)
        first.set()
        assert (await holding).status_code == 200
        assert (await waiting).status_code == 504
        assert monotonic() - begun < 5.4  # with the whole time behind the wait it would be 5.6
        assert told[0] == 4000
        assert 1600 < told[1] < 2600


@asynccontextmanager
async def on_a_database(database: Database) -> AsyncIterator[int]:
    """The port of a service whose answer needs a statement of so many seconds."""

    async def routes(scope: Scope, receive: Receive, send: Send) -> None:
        seconds = float(Request(scope).query_params["s"])
        try:
            async with database.write() as connection:
                await connection.execute(text("SELECT pg_sleep(:s)"), {"s": seconds})
        except StoreUnavailable:
            await PlainTextResponse("ended", status_code=503)(scope, receive, send)
        else:
            await PlainTextResponse("slept")(scope, receive, send)

    async def failure(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("away", status_code=503)(scope, receive, send)

    @asynccontextmanager
    async def nothing(_app: object) -> AsyncIterator[None]:
        yield

    app = web.application(routes, failure=failure, ready=database.ping, lifespan=nothing)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        running = asyncio.create_task(server.serve([bound]))
        yield int(bound.getsockname()[1])
        server.should_exit = True
        await running


@pytest.mark.connected
async def test_a_slow_statement_ends_with_the_time_of_its_request_and_gives_its_connection_back() -> None:
    database = Database(fresh_postgres(), pool_size=1)
    asleep = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")
    async with on_a_database(database) as port, before(port) as client:
        assert (await client.get("/?s=0")).text == "slept"
        begun = monotonic()
        assert (await client.get("/?s=60")).status_code in (503, 504)  # the service's or the gateway's, whose is first
        assert monotonic() - begun < 4  # the database's own limit is 5
        again = await client.get("/?s=0")
        assert (again.status_code, again.text) == (200, "slept")  # on the only connection
        async with database.read() as connection:
            assert await connection.scalar(asleep) == 0
    await database.aclose()
