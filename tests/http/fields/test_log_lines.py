"""What operators read: a line for what is refused before a route is known; why a request failed (RFC 9209 §2.3)."""

import json
import socket
import urllib.request
from typing import Any

import pytest

from tests.http.client import Client, connect
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, Truncated, get, message, ok, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

REFUSED = [
    (b"GE T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_line"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version"),
    (b"GET /#top HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "host"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host"),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "fields"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "framing"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n", 417, "expectation"),
    (b"GET /" + b"a" * 20_000, 414, "too_long"),
    (b"\x16\x03\x01\x02", 400, "request_line"),
]


def from_address(gateway: GatewayProcess, address: str) -> Client:
    """A client of another address: each has a line of its own."""
    try:
        sock = socket.create_connection(("127.0.0.1", gateway.port), DEADLINE_S, source_address=(address, 0))
    except OSError:
        pytest.skip("only 127.0.0.1 is on this machine's loopback")
    gateway.clients.append(Client(sock))
    return gateway.clients[-1]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_a_request_that_no_route_was_found_for_has_a_line_with_reason_and_peer(
    share: Start, origin: Script, number: int
) -> None:
    raw, status, reason = REFUSED[number]
    gateway, peer = share("refusing lines"), f"127.0.0.{number + 10}"
    for _ in range(3):
        client = from_address(gateway, peer)
        assert client.ask(raw).status == status
    line = json.loads(gateway.logged(f'"peer":"{peer}"'))
    assert (line["event"], line["status"], line["reason"]) == ("refused", status, reason)
    assert (line["proxy_status"], line["more"]) == ("http_request_error", 0)
    client = gateway.connect()
    client.ask(get(b"/", b"X-Request-Id: after-%d" % number))
    gateway.logged(f'"request_id":"after-{number}"')
    assert len([line for line in gateway.lines if f'"peer":"{peer}"' in line]) == 1, "a line a peer and ten seconds"


def test_a_header_that_is_late_has_a_line_too(impatient: GatewayProcess) -> None:
    client = from_address(impatient, "127.0.0.9")
    client.send(b"GET / HTTP/1.1\r\n")
    assert client.answer().status == 408
    assert json.loads(impatient.logged('"peer":"127.0.0.9"'))["reason"] == "late"


@pytest.mark.parametrize(
    ("target", "status", "word", "failed"),
    [
        (b"/refusing/", 502, "connection_refused", "connect"),
        (b"/unknown/", 502, "dns_error", "connect"),
        (b"/unanswering/", 504, "connection_timeout", "connect"),
        (b"/hasty/", 504, "http_response_timeout", "response"),
        (b"/own-host/", 502, "http_protocol_error", "response"),
        (b"/strict/%2F", 400, "http_request_error", ""),
        (b"/members/", 401, "http_request_denied", ""),
    ],
)
def test_a_failed_requests_line_has_the_word_that_its_client_was_told(
    gateway: GatewayProcess, client: Client, origin: Script, target: bytes, status: int, word: str, failed: str
) -> None:
    origin.answers(b"GARBAGE\r\n\r\n" if target == b"/own-host/" else lambda call: None)
    name = f"told-{word}-{status}"
    answer = client.ask(get(target, b"X-Request-Id: " + name.encode()))
    assert (answer.status, answer.error) == (status, word.encode())
    line = json.loads(gateway.logged(f'"request_id":"{name}"'))
    assert (line["status"], line["proxy_status"], line["failed"]) == (status, word, failed)


def cut_short(call: Call) -> None:
    call.send(ok(body=b"12345")[:-2])
    call.close()


def test_so_has_an_answer_that_broke_off_and_no_line_of_a_request_that_did_not_fail(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    client.ask(get(b"/", b"X-Request-Id: told-nothing"))
    assert "proxy_status" not in gateway.logged('"request_id":"told-nothing"')
    origin.answers(cut_short)
    with pytest.raises(Truncated):
        client.ask(get(b"/", b"X-Request-Id: told-late"))
    line = json.loads(gateway.logged('"request_id":"told-late"'))
    assert (line["status"], line["failed"], line["proxy_status"]) == (200, "body", "http_response_incomplete")


def test_a_malformed_body_is_told_too(gateway: GatewayProcess, client: Client, origin: Script) -> None:
    raw = post_chunked(b"a", lines=(b"X-Request-Id: told-chunk",)).replace(b"\r\n1\r\n", b"\r\nxyz\r\n")
    assert client.ask(raw).status == 400
    assert json.loads(gateway.logged('"request_id":"told-chunk"'))["proxy_status"] == "http_request_error"


def counters(gateway: GatewayProcess, route: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/routes", timeout=DEADLINE_S) as answer:
        routes = json.loads(answer.read())["routes"]
    return next(one for one in routes if one["id"] == route)


@pytest.mark.parametrize(
    ("route", "status", "own", "unanswered"), [("refusing", 502, 0, 1), ("hasty", 504, 0, 1), ("based", 500, 1, 0)]
)
def test_the_gateways_own_5xx_are_no_errors_of_the_monoliths(
    gateway: GatewayProcess, client: Client, origin: Script, route: str, status: int, own: int, unanswered: int
) -> None:
    origin.answers(ok(status=b"500 Oops") if route == "based" else lambda call: None)
    before = counters(gateway, route)
    assert client.ask(get(b"/%b/" % route.encode(), b"X-Request-Id: counted-" + route.encode())).status == status
    gateway.logged(f'"request_id":"counted-{route}"')
    after = counters(gateway, route)
    seen = [after[name]["legacy"] - before[name]["legacy"] for name in ("errors", "unanswered")]
    assert (seen, after["errors"]["extracted"]) == ([own, unanswered], 0)


def test_path_and_user_are_logged_where_the_settings_say_so(start: Start, origin: Script) -> None:
    gateway = start(STRANGLER_LOG_FIELDS="path,user")
    client = connect(gateway.port)
    client.ask(message(b'GET /a%20"b"\\c?token=secret HTTP/1.1', HOST, b"X-Request-Id: asked"))
    line = json.loads(gateway.logged('"request_id":"asked"'))
    assert (line["path"], line["user"]) == ('/a%20"b"\\c', None)
    client.close()
    gateway.stop()
