"""What a move is judged by: whether services answer, and what was counted since shadow began."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.migration import preflight
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.move_rules import RouteEvidence
from strangler_gateway.migration.preflight import accepts_connection, evidence
from strangler_gateway.table.publish_rules import PublishRules
from strangler_gateway.table.routes import RouteTable, Service
from strangler_gateway.telemetry.stats import Stats
from tests.support.gateway.migrating import ROUTES
from tests.support.gateway.publishing import PUBLISHING

TABLE = load(ROUTES, {})


def service(port: int = 1, *, host: str = "127.0.0.1", unix: str | None = None) -> Service:
    return Service("new", "http", host, port, unix=unix)


async def test_a_service_that_listens_accepts(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        assert await accepts_connection(service(server.sockets[0].getsockname()[1])) is None
    async with await asyncio.start_unix_server(hang_up, tmp_path / "socket"):
        assert await accepts_connection(service(unix=str(tmp_path / "socket"))) is None


async def test_a_port_without_a_listener_is_told_with_name_and_address() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        said = await accepts_connection(service(port)) or ""
    assert f"new (127.0.0.1:{port}) accepts no connection: " in said
    assert "nowhere.invalid" in (await accepts_connection(service(host="nowhere.invalid")) or "")
    assert "/no/socket" in (await accepts_connection(service(unix="/no/socket")) or "")


async def test_a_listener_that_does_not_accept_is_waited_for_so_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PROBE_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        began = time.monotonic()
        assert "no answer" in (await accepts_connection(service(full.getsockname()[1])) or "")
        assert time.monotonic() - began < 30


def route_of(table: RouteTable, unit: str, standing: Standing, stats: Stats) -> RouteEvidence:
    [route] = evidence(table, table.movables[unit], standing, stats, lambda _: [{"n": 1}, {"n": 2}], 9.0).routes
    return route


def test_only_what_was_counted_since_shadow_began_counts_and_younger_counters_count_whole() -> None:
    stats = Stats(wall=lambda: 1.0)
    counts = stats.route("item-read")
    counts.legacy, counts.extracted, counts.shadow_compared, counts.shadow_different = 50, 10, 30, 4
    standing = Standing(baseline=preflight.baseline(TABLE, "items", stats), counted_from=2.0)
    counts.legacy, counts.shadow_compared, counts.shadow_different, counts.shadow_failed = 57, 33, 5, 1
    route = route_of(TABLE, "items", standing, stats)
    assert (route.requests, route.compared, route.different, route.failed) == (7, 3, 1, 1)
    assert route.example == {"n": 1}
    younger = Stats(wall=lambda: 5.0)
    younger.route("item-read").shadow_compared = 3
    assert route_of(TABLE, "items", standing, younger).compared == 3


@pytest.mark.parametrize(
    ("methods", "safe", "writes"),
    [
        ("methods: [GET], ", True, False),
        ("methods: [POST], ", False, True),
        ("methods: [GET, POST], ", True, True),
        ("methods: [OPTIONS, HEAD], ", True, False),
        ("", True, True),
    ],
)
def test_methods_tell_what_can_be_compared_and_what_writes(methods: str, safe: bool, writes: bool) -> None:
    table = load(ROUTES.replace('methods: [GET], path: "/search"', f'{methods}path: "/search"'), {})
    route = route_of(table, "search", Standing(), Stats())
    assert (route.safe, route.writes, route.shadowed, route.new_end) == (safe, writes, True, True)


async def test_services_and_the_broker_are_asked_each_for_its_own() -> None:
    async def absent(service: Service) -> str | None:
        return f"{service.name} is away"

    async def full(rules: PublishRules) -> str | None:
        return f"no {rules}"

    routes = preflight.routes_of(load(PUBLISHING, {}), "g")
    said = await preflight.unreachable(routes, absent, full)
    assert said == ("s is away: start the service, or check its `url:`", "no message a.b.v1 to e")


def test_a_message_is_a_new_end_that_writes_and_a_new_route_has_nothing_to_compare() -> None:
    table = load(PUBLISHING, {})
    read, place = evidence(table, table.movables["g"], Standing(), Stats(), lambda _: [], 0.0).routes
    assert (place.new_end, place.safe, place.writes) == (True, False, True)
    assert (read.new_end, read.new, place.new) == (True, True, False)
    assert evidence(TABLE, TABLE.movables["orders"], Standing(), Stats(), lambda _: [], 0.0).data == "own"
