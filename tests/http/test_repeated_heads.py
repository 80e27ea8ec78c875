"""A connection that sends the same fields again and again gets each time what a new connection would get."""

import random

import pytest

from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message
from tests.http.origin import Received, Script

SECTIONS: dict[str, list[bytes]] = {
    "plain": [HOST, b"X-A: 1"],
    "conditional on the method": [HOST, b"Max-Forwards: 5"],
    "counted": [HOST, b"Content-Length: 5"],
    "empty": [HOST, b"Content-Length: 0"],
    "chunked": [HOST, b"Transfer-Encoding: chunked"],
    "nominated": [HOST, b"X-Drop: 1", b"Connection: X-Drop"],
    "trailers": [HOST, b"TE: trailers", b"Connection: TE"],
    "a request id": [HOST, b"X-Request-Id: mine"],
    "a credential": [HOST, b"Authorization: Bearer x", b"Cookie: a=b"],
    "lies": [HOST, b"X-Forwarded-For: 6.6.6.6", b"X_User: mallory", b"Via: 1.0 other"],
    "a handshake of something": [HOST, b"Upgrade: foo", b"Connection: Upgrade"],
}
BODIES = {"counted": b"hello", "chunked": b"5\r\nhello\r\n0\r\n\r\n"}
LINES = [
    b"GET /a HTTP/1.1", b"GET /a HTTP/1.1", b"GET /a?b HTTP/1.1", b"GET /b HTTP/1.1", b"POST /a HTTP/1.1",
    b"HEAD /a HTTP/1.1", b"OPTIONS /a HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET http://other.example/a HTTP/1.1",
    b"GET /own-host/a HTTP/1.1", b"GET /based/a HTTP/1.1", b"GET /shop/a/v1 HTTP/1.1", b"GET /shop/b/v1 HTTP/1.1",
    b"BREW /a HTTP/1.1", b"GET //a HTTP/1.1",
]  # fmt: skip


def essence(request: Received) -> tuple[object, ...]:
    """What is the same for equal requests: all but the request id that the gateway makes."""
    fields = [(name, value) for name, value in request.fields if name.lower() != b"x-request-id" or value == b"mine"]
    return request.start, fields, request.body, request.trailers


@pytest.mark.parametrize("name", SECTIONS)
def test_repeated_fields_are_read_for_each_request_line_anew(
    gateway: GatewayProcess, origin: Script, name: str
) -> None:
    source = random.Random(name)
    repeating = gateway.connect()
    for line in [*LINES, *source.choices(LINES, k=40)]:
        raw = message(line, *SECTIONS[name]) + BODIES.get(name, b"")
        method = line.split(b" ")[0]
        for client in (repeating, gateway.connect()):
            assert client.ask(raw, method).status == 200, raw
        again, anew = origin.requests[-2:]
        assert essence(again) == essence(anew)
        ids = [request.get(b"x-request-id") for request in (again, anew)]
        assert ids[0] != ids[1] or ids[0] == b"mine"


def test_fields_that_differ_by_little_are_not_taken_for_the_same(gateway: GatewayProcess, origin: Script) -> None:
    client = gateway.connect()
    for n in range(300):
        value = b"%d" % (n // 3)
        assert client.ask(get(b"/", b"X-A: " + value)).status == 200
        assert origin.requests[-1].get(b"x-a") == value


def test_what_was_refused_once_is_refused_again(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(3):
        client = gateway.connect()
        client.ask(get(b"/"))
        assert client.ask(get(b"/", b"Content-Length: x")).status == 400
        assert client.ends()
    assert len(origin.requests) == 3


def test_a_repeated_head_behind_the_beginning_of_another_is_none_of_its_own(
    gateway: GatewayProcess, origin: Script
) -> None:
    client = gateway.connect()
    assert client.ask(get(b"/")).status == 200
    client.send(b"GET /begun")
    assert gateway.connect().ask(get(b"/")).status == 200  # by now the gateway has read the beginning
    assert client.ask(get(b"/")).status == 400
    assert client.ends()
    assert [request.target for request in origin.requests] == [b"/", b"/"]
