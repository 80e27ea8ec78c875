"""One JSON line a request: what it says, what it never says, and that it never stops a request."""

import json
import os
from io import BytesIO
from pathlib import Path

import pytest

from chassis.auth.claims import Identity
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.steps.observe import Observer
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.log_throttle import EVERY_S
from strangler_gateway.telemetry.stats import Stats
from tests.support.gateway.exchanges import ALICE, Clock, exchange, gateway_for, route


def logged(folder: Path, x: Exchange, at: float, took_s: float, fields: tuple[str, ...] = ()) -> str:
    with (folder / "log").open("wb") as out:
        log = AccessLog(out, fields)
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


def test_of_several_instances_the_line_names_the_one(tmp_path: Path) -> None:
    x = exchange(gateway_for(route()))
    for sent, told in ((b',"instance":"a:1"', "a:1"), (b"", None)):
        x.sent = sent
        line = json.loads(logged(tmp_path, x, 0.0, 0.0))
        assert line.get("instance") == told


def test_an_answer_of_the_gateways_own_has_no_side(tmp_path: Path) -> None:
    x = exchange(gateway_for(route()))
    x.status, x.stage = 502, b"connect"
    line = json.loads(logged(tmp_path, x, 0.0, 0.0))
    assert (line["side"], line["reason"], line["failed"]) == ("gateway", "own_reply", "connect")


@pytest.mark.parametrize(
    ("fields", "identity", "asked"),
    [
        ((), ALICE, {}),
        (("path",), ALICE, {"path": '/a"\\<%00>' + "b" * 1015}),
        (("path", "user"), ALICE, {"path": '/a"\\<%00>' + "b" * 1015, "user": "alice"}),
        (("user",), None, {"user": None}),
    ],
)
def test_path_and_user_stand_in_a_line_only_if_asked(
    fields: tuple[str, ...], identity: Identity | None, asked: dict[str, str | None], tmp_path: Path
) -> None:
    x = exchange(gateway_for(route()), target='/a"\\<%00>' + "b" * 2000 + "?token=secret")
    x.identity = identity
    text = logged(tmp_path, x, 0.0, 0.0, fields)
    line = json.loads(text)
    assert {name: line[name] for name in ("path", "user") if name in line} == asked
    assert "secret" not in text


def test_a_refused_peer_has_its_line_now_and_then_with_how_often_it_came(tmp_path: Path) -> None:
    clock, stats = Clock(), Stats()
    with (tmp_path / "log").open("wb") as out:
        log = AccessLog(out)
        observer = Observer(stats, log, clock, lambda: 5.0)
        for peer in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1", "2001:db8::1", "2001:db8::2", ""):
            observer.refused(peer, "host", Reply(400, "http_request_error", 'a "b"'))
        clock.now += EVERY_S
        observer.refused("10.0.0.1", "late", Reply(408, "http_request_error", "m"))
        log.flush()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["peer"], line["more"]) for line in lines] == [
        ("10.0.0.1", 0), ("10.0.0.2", 0), ("2001:db8::1", 0), ("", 0), ("10.0.0.1", 2)
    ]  # fmt: skip
    first = {"event": "refused", "at": 5.0, "peer": "10.0.0.1", "status": 400, "reason": "host"}
    assert lines[0] == {**first, "proxy_status": "http_request_error", "message": 'a "b"', "more": 0}
    assert stats.refused == 8


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as out:
        log = AccessLog(out)
        log.request(exchange(gateway_for(route())), 0.0, 0.0)
        log.flush()
    AccessLog(BytesIO()).flush()
