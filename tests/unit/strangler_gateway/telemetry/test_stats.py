"""Counters: by side, bounded, restored after a restart, exported without anybody's data."""

from itertools import product
from string import ascii_lowercase

import pytest

from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service, Side
from strangler_gateway.telemetry.stats import MAX_SHAPES, Stats, path_shape

SERVICE = Service("m", "http", "h", 80)
ROUTE = Route("all", "/{rest...}", None, Movable("all", "route"), SERVICE, undeclared=True)
TABLE = RouteTable("d", (ROUTE,), {"m": SERVICE}, {"all": ROUTE.movable})


def exchange(
    target: bytes = b"/", status: int = 200, side: Side | None = Side.LEGACY, stage: bytes = b"", own: bytes = b""
) -> Exchange:
    head = parse_request(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target, 1000, 1000, 10)
    x = Exchange(head, HeadMemory(), TABLE, "1.2.3.4", b"http", 0.0)
    x.status, x.stage = status, stage
    x.answered_here, x.proxy_status = bool(own), own
    x.decision = None if side is None else Decision(side, "r")
    return x


def test_requests_errors_and_own_replies_are_told_apart() -> None:
    stats = Stats(wall=lambda: 7.0)
    for x in (
        exchange(),
        exchange(status=500),
        exchange(status=200, stage=b"body"),
        exchange(side=Side.EXTRACTED),
        exchange(side=Side.EXTRACTED, status=502),
        exchange(status=499, stage=b"client"),
        exchange(side=None, status=429),
        exchange(status=502, stage=b"connect", own=b"connection_refused"),
        exchange(status=500, own=b"proxy_internal_error"),
        exchange(side=Side.EXTRACTED, status=504, stage=b"response", own=b"http_response_timeout"),
        exchange(side=Side.EXTRACTED, status=503, stage=b"publish", own=b"destination_unavailable"),
        exchange(side=Side.EXTRACTED, status=503, own=b"http_request_denied"),
    ):
        stats.count(x, 0.003)
    one = stats.route("all")
    assert (one.legacy, one.errors_legacy, one.unanswered_legacy) == (6, 2, 2)
    assert (one.extracted, one.errors_extracted) == (5, 3)
    assert (one.client_gone, one.own_replies, one.last_legacy_at) == (1, 1, 7.0)


@pytest.mark.parametrize(
    "rubbish", [{}, {"routes": {"all": {"legacy": "x", "last_legacy_at": None}}}, {"undeclared": {}}]
)
def test_rubbish_in_a_snapshot_is_left_out(rubbish: dict[str, object]) -> None:
    stats = Stats()
    stats.restore(rubbish)
    assert stats.route("all").legacy == 0


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (b"/user/6b05817d-2243-13e6-487d-37af00000000/teams", "GET /user/{}/teams"),
        (b"/items/17", "GET /items/{}"),
        (b"/a/@me", "GET /a/{}"),
        (b"/a%20b/c", "GET /{}/c"),
        (b"/" + b"x" * 40, "GET /{}"),
        (b"/", "GET /"),
        (b"*", "GET *"),
    ],
)
def test_a_shape_holds_nobodys_data(path: bytes, shape: str) -> None:
    assert path_shape(b"GET", path) == shape


def test_shapes_are_bounded_whatever_is_asked_for() -> None:
    stats = Stats()
    for a, b in product(ascii_lowercase, repeat=2):
        stats.count(exchange(f"/{a}{b}".encode()), 0.001)
    assert len(stats.undeclared) <= MAX_SHAPES + 1
    assert sum(stats.undeclared.values()) == 26 * 26
