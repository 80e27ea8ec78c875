"""Whether a service is ready: what it answers, and what it does not serve."""

import asyncio
import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from chassis.discovery.port import Instance
from chassis.service.readiness import MAX_ROUTES, UnservedRoute
from strangler_gateway.migration.rules import readiness
from strangler_gateway.migration.rules.readiness import ask, place
from strangler_gateway.table.routes import Service, ServiceTimeouts, ServiceTls
from strangler_gateway.upstream.health_checks import MAX_ANSWER
from tests.http.certificates import Authority
from tests.support.one_answer import answering


def service(port: int = 1, *, host: str = "127.0.0.1", **more: Any) -> Service:
    return Service(**{"name": "new", "scheme": "http", "host": host, "port": port, **more})


def at(address: str, **more: Any) -> Service:
    """A service with `health:`."""
    return service(int(address.rpartition(":")[2]), health="/health/ready?of=all", **more)


async def problem(service: Service) -> str | None:
    return (await ask(service)).problem


async def test_a_service_that_listens_accepts(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        assert await problem(service(server.sockets[0].getsockname()[1])) is None
    async with await asyncio.start_unix_server(hang_up, tmp_path / "socket"):
        assert await problem(service(unix=str(tmp_path / "socket"))) is None


async def test_a_port_without_a_listener_is_told_with_name_and_address() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        said = await problem(service(port)) or ""
    assert f"new (127.0.0.1:{port}) accepts no connection: " in said
    assert "nowhere.invalid" in (await problem(service(host="nowhere.invalid")) or "")
    assert "/no/socket" in (await problem(service(unix="/no/socket")) or "")


async def test_a_listener_that_does_not_accept_is_waited_for_so_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "CONNECT_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        began = time.monotonic()
        assert "no answer" in (await problem(service(full.getsockname()[1])) or "")
        assert time.monotonic() - began < 30


def answer(body: object, status: str = "200 OK") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(text), text)


BUY = {"method": "POST", "path": "/buy/{id}", "reason": "it has no broker"}


@pytest.mark.parametrize(
    ("sent", "wrong", "unserved"),
    [
        (answer({"status": "ready"}), None, ()),
        (answer(b"OK"), None, ()),
        (answer(b"", "204 No Content"), None, ()),
        (answer([BUY]), None, ()),
        (answer({"unserved": []}), None, ()),
        (answer({"unserved": [BUY]}), None, (UnservedRoute(**BUY),)),
        (answer({"unserved": [{"method": "GET", "path": "/a"}]}), None, (UnservedRoute("GET", "/a", ""),)),
        (answer({"unserved": {"GET": "/a"}}), "cannot be read", ()),
        (answer({"unserved": [{"path": "/a"}]}), "cannot be read", ()),
        (answer({"unserved": [{"method": "GET", "path": "a"}]}), "cannot be read", ()),
        (answer({"unserved": [BUY] * (MAX_ROUTES + 1)}), "cannot be read", ()),
        (answer({"unserved": [], "more": "x" * MAX_ANSWER}), "more than 262144 bytes", ()),
        (answer({"status": "not ready"}, "503 Service Unavailable"), "it answered 503, a 2xx is required", ()),
        (answer(b"", "302 Found"), "it answered 302", ()),
        (answer(b"", "404 Not Found"), "it answered 404", ()),
        (b"not HTTP\r\n\r\n", "The upstream new", ()),
    ],
)
async def test_a_2xx_is_ready_except_for_what_it_lists(
    sent: bytes, wrong: str | None, unserved: tuple[UnservedRoute, ...]
) -> None:
    with answering(sent) as (address, received):
        said = await ask(at(address, base_path=b"/base"))
    assert received[0].startswith(b"GET /base/health/ready?of=all HTTP/1.1\r\n")
    assert f"\r\nHost: {address}\r\n".encode() in received[0]
    assert said.unserved == unserved
    if wrong is None:
        assert said.problem is None
    else:
        assert (said.problem or "").startswith(f"new (http://{address}/base) is not ready: GET /health/ready?of=all: ")
        assert wrong in (said.problem or "")


async def test_of_several_instances_one_that_is_ready_is_enough_and_each_is_told() -> None:
    with answering(answer({"unserved": [BUY]})) as (ready, _), answering(answer(b"", "503 Busy")) as (busy, _):
        found = tuple(Instance(each, "127.0.0.1", int(each.rpartition(":")[2])) for each in (busy, ready))
        said = await ask(at(busy, instances=found))
    assert (said.problem, said.reachable, [one.path for one in said.unserved]) == (None, True, ["/buy/{id}"])
    assert [(one.instance.id, one.problem is None) for one in said.instances] == [(busy, False), (ready, True)]
    with answering(answer(b"", "503 Busy")) as (busy, _):
        found = (Instance(busy, "127.0.0.1", int(busy.rpartition(":")[2])), Instance("gone", "127.0.0.1", 1))
        said = await ask(at(busy, instances=found))
    assert "answered 503, a 2xx is required (2 instances, none of them ready)" in (said.problem or "")
    assert said.reachable
    assert (await ask(at(busy), ())).problem == "new has no instance"


async def test_a_service_that_accepts_and_does_not_answer_is_waited_for_as_long_as_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        slow = at(f":{silent.getsockname()[1]}", timeouts=ServiceTimeouts(connect=0.1))
        assert "it has not answered in time" in (await problem(slow) or "")
        assert time.monotonic() - began < 30


async def test_health_is_asked_over_tls_and_unix_sockets_as_the_service_is(tmp_path: Path) -> None:
    async def ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"OK"))
        await writer.drain()
        writer.close()

    authority = Authority(tmp_path, "ca")
    pair = authority.issue("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    trusted = ServiceTls(ca_file=str(authority.file))
    async with await asyncio.start_server(ready, "localhost", 0, family=socket.AF_INET, ssl=context) as server:
        address = f":{server.sockets[0].getsockname()[1]}"
        assert await problem(at(address, scheme="https", host="localhost", tls=trusted)) is None
        assert "not trusted" in (await problem(at(address, scheme="https", host="localhost")) or "")
    async with await asyncio.start_unix_server(ready, tmp_path / "socket"):
        local = at(":80", unix=str(tmp_path / "socket"))
        assert (await problem(local), place(local)) == (None, f"unix:{tmp_path / 'socket'}")
    gone = await ask(local)
    assert (gone.reachable, "accepts no connection: GET /health/ready?of=all: " in (gone.problem or "")) == (
        False,
        True,
    )
