"""R6, F12: bytes that belong to no answer never reach a client (RFC 9112 §9.2, §6.3)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok, ok_chunked
from tests.http.origin import Call, Script

STRAY = ok(b"X-Stray: 1", body=b"stray")
TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HEAD = message(b"HEAD / HTTP/1.1", HOST)
PAIRS = 8


def others_are_untouched(gateway: GatewayProcess, origin: Script, client: Client) -> None:
    """The same client and another one get their own answers."""
    origin.answers(lambda call: call.reply(ok(body=call.request.target)))
    other = gateway.connect()
    for target in (b"/x1", b"/x2", b"/x3"):
        assert client.ask(get(target)).body == target
        assert other.ask(get(target)).body == target


@pytest.mark.parametrize("stray", [b"\r\n", b"x", STRAY * 3, TIMEOUT, b"\0" * 5000])
@pytest.mark.parametrize("first", [ok(), ok_chunked(b"ok"), message(b"HTTP/1.1 200 OK", b"Content-Length: 0")])
def test_bytes_behind_an_answer_are_nobodys_R6(
    gateway: GatewayProcess, client: Client, origin: Script, stray: bytes, first: bytes
) -> None:
    origin.answers(first + stray)
    assert client.ask(get(b"/1")).body in (b"ok", b"")
    others_are_untouched(gateway, origin, client)


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (HEAD, ok(body=b"never")),
        (HEAD, ok_chunked(b"never")),
        (HEAD, message(b"HTTP/1.1 200 OK", body=STRAY)),
        (get(), message(b"HTTP/1.1 204 No Content", body=b"never")),
        (get(), message(b"HTTP/1.1 204 No Content", b"Content-Length: 5", body=b"never")),
        (get(), message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5", body=b"never")),
        (get(), message(b"HTTP/1.1 304 Not Modified", body=STRAY)),
    ],
)
def test_a_body_where_none_may_be_reaches_nobody_F12(
    gateway: GatewayProcess, client: Client, origin: Script, raw: bytes, answer: bytes
) -> None:
    origin.answers(answer)
    assert client.ask(raw, b"HEAD").status in (200, 204, 304, 502)
    others_are_untouched(gateway, origin, client)


@pytest.mark.parametrize(
    "stays", [True, False], ids=["and the connection ends, R6", "with a 408 and the close, 9112 9.5"]
)
def test_an_answer_that_nobody_asked_for_reaches_nobody(
    gateway: GatewayProcess, client: Client, origin: Script, stays: bool
) -> None:
    origin.fresh()
    ended: list[bool] = []

    def handle(call: Call) -> None:
        call.reply(ok())
        assert client.answer().body == b"ok"
        call.send(STRAY if stays else TIMEOUT)
        gone = not stays or call.gone()
        call.close()
        ended.append(gone)

    origin.answers(handle)
    client.send(get())
    origin.wait_for(lambda: bool(ended))
    assert ended == [True], "a connection with stray bytes is kept"
    others_are_untouched(gateway, origin, client)


def test_a_second_answer_in_the_same_segment_is_not_the_next_clients_R6(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    origin.answers(lambda call: call.reply(ok(body=call.request.target) + STRAY))
    other = gateway.connect()
    for n in range(10):
        assert client.ask(get(b"/a%d" % n)).body == b"/a%d" % n
        assert other.ask(get(b"/b%d" % n)).body == b"/b%d" % n
    client.send(b"".join(get(b"/%d" % n) for n in range(5)))
    assert [client.answer().body for _ in range(5)] == [b"/%d" % n for n in range(5)]


def test_bytes_before_any_request_on_a_new_connection_do_no_harm_R6(client: Client, origin: Script) -> None:
    origin.fresh()
    origin.answers(lambda call: call.reply(b"\r\n" + ok()))
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"


def test_a_body_that_comes_late_behind_a_head_response_is_not_the_next_clients_R6(
    gateway: GatewayProcess, origin: Script
) -> None:
    """It comes when the next request is there already, and both wait: the gateway stands still.

    In which order it then sees them is the kernel's choice; of so many pairs one has the request first.
    """
    origin.fresh()
    idle: list[Call] = []

    def handle(call: Call) -> None:
        if call.request.method == b"HEAD":
            idle.append(call)
            origin.wait_for(lambda: len(idle) == PAIRS)
            call.send(ok(body=b"x" * len(STRAY))[: -len(STRAY)])
            call.request.body = b""
        else:
            call.reply(ok())

    origin.answers(handle)
    clients = [gateway.connect() for _ in range(PAIRS)]
    for client in clients:
        client.send(HEAD)
    assert [client.answer(b"HEAD").status for client in clients] == [200] * PAIRS
    with gateway.standing_still():
        for client, call in zip(clients, idle, strict=True):
            client.send(get(b"/next"))
            call.send(STRAY)
    assert [client.answer().body for client in clients] == [b"ok"] * PAIRS
