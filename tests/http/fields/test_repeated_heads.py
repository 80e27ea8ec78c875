"""Who sends the same head again and again is understood each time as if it had been sent once: client and upstream."""

import random

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, Truncated, chunk, chunked, get, message, ok, ok_chunked, post
from tests.http.origin import Call, Received, Script

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
BODIES = {"counted": b"hello", "chunked": chunked(b"hello")}
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
        for client in (repeating, gateway.connect()):
            assert client.ask(raw, line.split(b" ")[0]).status == 200, raw
        again, anew = origin.requests[-2:]
        assert essence(again) == essence(anew)
        ids = [request.get(b"x-request-id") for request in (again, anew)]
        assert ids[0] != ids[1] or ids[0] == b"mine"


def test_heads_that_differ_by_little_are_not_taken_for_the_same(client: Client, origin: Script) -> None:
    for n in range(200):
        value = b"%d" % (n // 2)
        origin.answers(ok(b"X-A: " + value))
        assert client.ask(get(b"/", b"X-A: " + value)).get(b"x-a") == value
        assert origin.requests[-1].get(b"x-a") == value


def test_what_was_refused_once_is_refused_again(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(3):
        client = gateway.connect()
        client.ask(get(b"/"))
        assert client.ask(get(b"/", b"Content-Length: x")).status == 400
        assert client.ends()
    assert len(origin.requests) == 3


def test_a_repeated_head_behind_the_beginning_of_another_is_none_of_its_own(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    assert client.ask(get(b"/")).status == 200
    client.send(b"GET /begun")
    assert gateway.connect().ask(get(b"/")).status == 200  # by now the gateway has read the beginning
    assert client.ask(get(b"/")).status == 400
    assert client.ends()
    assert [request.target for request in origin.requests] == [b"/", b"/"]


COUNTED = message(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Connection: keep-alive", b"X-A: 1")
CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
ANSWERS = {
    "counted": COUNTED + b"hello",
    "counted, another body": COUNTED + b"world",
    "chunked": CHUNKED + chunked(b"hello"),
    "chunked, another body": CHUNKED + chunked(b"wor", b"ld"),
    "empty": message(b"HTTP/1.1 200 OK", b"Content-Length: 0"),
    "none": message(b"HTTP/1.1 204 No Content"),
    "unchanged": message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"),
    "nominated": ok(b"Connection: X-A", b"X-A: 1", body=b"hello"),
    "moved": ok(b"Location: /b", body=b"", status=b"302 Found"),
    "cookie": ok(b"Set-Cookie: a=b", body=b"hello"),
    "twice as long": message(b"HTTP/1.1 200 OK", b"Content-Length: 5, 5", body=b"hello"),
    "informed": message(b"HTTP/1.1 103 Early Hints", b"Link: </a>") + COUNTED + b"hello",
}


def seen(client: Client, origin: Script, raw: bytes) -> tuple[object, ...]:
    """The answer as a client gets it; interim ones left out."""
    origin.answers(raw)
    answer = client.ask(get())
    return answer.status, [field for field in answer.fields if field[0].lower() != b"date"], answer.body


def test_each_answer_means_what_it_means_alone(gateway: GatewayProcess, client: Client, origin: Script) -> None:
    alone = {}
    for name, raw in ANSWERS.items():
        origin.fresh()
        alone[name] = seen(gateway.connect(), origin, raw)
    for name in random.Random(4).choices([*ANSWERS, "counted", "chunked"], k=120):
        assert seen(client, origin, ANSWERS[name]) == alone[name], name


def test_the_same_head_is_framed_by_the_request_that_it_answers(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.reply(COUNTED if call.request.method == b"HEAD" else COUNTED + b"hello"))
    head = message(b"HEAD / HTTP/1.1", HOST)
    for _ in range(5):
        assert client.ask(get()).body == b"hello"
        assert client.ask(head, b"HEAD").body == b""
        assert client.ask(head, b"HEAD").body == b""
        assert client.ask(post()).body == b"hello"


@pytest.mark.parametrize("cut", [1, 17, 50, len(COUNTED) - 2, len(COUNTED), len(COUNTED) + 2])
def test_a_repeated_head_may_come_in_pieces(client: Client, origin: Script, cut: int) -> None:
    raw = COUNTED + b"hello"

    def answer(call: Call) -> None:
        call.reply(raw[:cut])
        call.send(raw[cut:])

    origin.answers(raw)
    assert client.ask(get()).status == 200
    origin.answers(answer)
    for _ in range(3):
        assert client.ask(get()).body == b"hello"


def test_a_good_head_repeated_with_a_bad_body_is_refused_each_time(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"hello"))
    assert client.ask(get()).body == b"hello"
    origin.answers(CHUNKED + chunk(b"hello") + b"zz\r\n")
    client.send(get())
    with pytest.raises(Truncated):
        client.answer()
