"""One JSON line a request: what it says, what it never says, and that it never stops a request."""

import json
import os
from io import BytesIO
from pathlib import Path

from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry.access_log import AccessLog
from tests.support.gateway.exchanges import exchange, gateway_for, route


def logged(folder: Path, x: Exchange, at: float, took_s: float) -> str:
    with (folder / "log").open("wb") as out:
        log = AccessLog(out)
        log.request(x, at, took_s)
        log.flush()
    return (folder / "log").read_text()


def test_a_line_tells_route_side_and_reason_and_nobodys_data(tmp_path: Path) -> None:
    x = exchange(gateway_for(route()), {"Authorization": "Bearer secret-1"}, target="/verify/secret-2?token=secret-3")
    x.request_id, x.status, x.decision = b"id-1", 200, Decision(Side.LEGACY, "share_out")
    text = logged(tmp_path, x, 1_800_000_000.5, 0.0123)
    line = json.loads(text)
    assert line["at"] == 1_800_000_000.5
    assert (line["request_id"], line["route"], line["status"]) == ("id-1", "everything", 200)
    assert (line["side"], line["reason"], line["ms"]) == ("legacy", "share_out", 12.3)
    assert "secret" not in text


def test_an_answer_of_the_gateways_own_has_no_side(tmp_path: Path) -> None:
    x = exchange(gateway_for(route()))
    x.status, x.stage = 502, b"connect"
    line = json.loads(logged(tmp_path, x, 0.0, 0.0))
    assert (line["side"], line["reason"], line["failed"]) == ("gateway", "own_reply", "connect")


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as out:
        log = AccessLog(out)
        log.request(exchange(gateway_for(route())), 0.0, 0.0)
        log.flush()
    AccessLog(BytesIO()).flush()
