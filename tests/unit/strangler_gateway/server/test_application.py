"""The gateway's application on a server that is not its own: what ASGI can carry works there too."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import httpx
import pytest
import uvicorn

from strangler_gateway.config.file import load
from strangler_gateway.main import Server
from strangler_gateway.server.application import application
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.shadow import Shadow
from strangler_gateway.steps.pipeline import Gateway
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.stats import Stats
from tests.support.origins import Answer, Request, origin

ROUTES = """
version: 1
services:
  monolith: {{url: "http://127.0.0.1:{port}"}}
  away: {{url: "http://127.0.0.1:1"}}
groups:
  moving: {{state: canary, share: 100, anonymous: address}}
routes:
  - {{id: moving-all, group: moving, match: {{path: "/moving/{{rest...}}"}}, legacy: monolith, extracted: away}}
  - {{id: strict, match: {{path: "/strict/{{rest...}}"}}, legacy: monolith, ambiguous: reject}}
  - {{id: all, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""


@asynccontextmanager
async def served(port: int) -> AsyncIterator[httpx.AsyncClient]:
    """The application on uvicorn with httptools, before an upstream on `port`."""
    table = load(ROUTES.format(port=port), {})
    gateway = Gateway(Settings.model_validate({}), table, None, AccessLog(BytesIO()), Shadow(), Stats())
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(application(gateway), http="httptools", lifespan="off", log_config=None)
        server = Server(config)
        running = asyncio.create_task(server.serve([bound]))
        await server.up.wait()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
        server.should_exit = True
        await running
    await gateway.aclose()


def echo(request: Request) -> Answer:
    fields = (
        (b"Content-Type", b"text/plain"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"Connection", b"x-a"),
    )
    return Answer(299, request.method + b" " + request.target, (*fields, (b"X-A", b"1")))


async def test_requests_are_forwarded_with_their_bytes_and_their_answers_come_back() -> None:
    async with origin(echo) as upstream, served(upstream.port) as client:
        answer = await client.post("/a%2Fb/x?y=%20", content=b"hello")
    assert (answer.status_code, answer.text) == (299, "POST /a%2Fb/x?y=%20")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-a" not in answer.headers
    assert upstream.requests[0].fields[b"via"].startswith(b"1.1 strangler-")


async def test_a_streamed_request_body_goes_on_in_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    seen: list[bytes] = []

    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(chunked, "127.0.0.1", 0)
    async with server, served(server.sockets[0].getsockname()[1]) as client:
        assert (await client.put("/x", content=pieces())).text == "ok"
    assert seen[0].replace(b"6\r\nonetwo\r\n", b"3\r\none\r\n3\r\ntwo\r\n") == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_the_gateways_own_answers_are_marked() -> None:
    async with served(1) as client:
        away = await client.get("/x")
        odd = await client.get("/strict/a%2Fb")
    assert (away.status_code, away.headers["proxy-status"]) == (502, "strangler; error=connection_refused")
    assert (odd.status_code, odd.headers["proxy-status"]) == (400, "strangler; error=http_request_error")


@pytest.mark.parametrize("target", ["/x", "/moving/x"], ids=["at once", "after a failover"])
async def test_a_client_that_leaves_ends_the_upstream_call(target: str) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, served(server.sockets[0].getsockname()[1]) as client, asyncio.timeout(30):
        asking = asyncio.create_task(client.get(target))
        await asked.wait()
        asking.cancel()
        await left.wait()
