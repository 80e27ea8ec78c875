"""S3: upgrades to other protocols, where a service lists them (RFC 9110 §7.8)."""

import pytest

from tests.http.client import Client
from tests.http.frames import TEXT, Frame, accepted, handshake, read_frame
from tests.http.message import HOST, chunked, get, message
from tests.http.origin import Call, Script


def switched(protocol: bytes = b"tcp", *lines: bytes) -> bytes:
    return message(b"HTTP/1.1 101 UPGRADED", b"Connection: Upgrade", b"Upgrade: " + protocol, *lines)


def asking(*lines: bytes, method: bytes = b"POST", target: bytes = b"/switching/", body: bytes = b"") -> bytes:
    """As Docker's client attaches to a container."""
    return message(method + b" " + target + b" HTTP/1.1", HOST, b"Connection: Upgrade", *lines, body=body)


REQUESTS = {
    "tcp": asking(b"Upgrade: tcp"),
    "tcp with a body": asking(b"Upgrade: TCP", b"Content-Length: 2", body=b"{}"),
    "tcp with a chunked body": asking(b"Upgrade: tcp", b"Transfer-Encoding: chunked", body=chunked(b"{", b"}")),
    "GET": asking(b"Upgrade: tcp", method=b"GET"),
    "one of several": asking(b"Upgrade: h2c, foo/2", b"Upgrade: tcp"),
}


@pytest.mark.parametrize("raw", REQUESTS.values(), ids=REQUESTS)
def test_a_listed_protocol_is_switched_to_and_bytes_pass_both_ways_9110_7_8(
    client: Client, origin: Script, raw: bytes
) -> None:
    """Also those that come in one segment with either head; nothing of them is taken for a request or a frame."""

    def handle(call: Call) -> None:
        call.body()
        call.send(switched() + b"\x89hello")
        call.send(call.stream.exactly(len(get()) + 3))
        call.close()

    origin.answers(handle)
    client.send(raw + b"abc")
    answer = client.answer()
    assert (answer.status, answer.options(), answer.get(b"upgrade")) == (101, {b"upgrade"}, b"tcp")
    assert client.exactly(6) == b"\x89hello"
    client.send(get())
    assert client.rest() == b"abc" + get()
    assert (origin.only.get(b"upgrade"), origin.only.options()) == (b"tcp", {b"upgrade"})


def test_of_several_protocols_the_upstream_takes_one_9110_7_8(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(switched(b"SPDY/3.1"))
        call.close()

    origin.answers(handle)
    answer = client.ask(asking(b"Upgrade: tcp, SPDY/3.1"))
    assert (answer.status, answer.get(b"upgrade")) == (101, b"spdy/3.1")
    assert origin.only.get(b"upgrade") == b"tcp, spdy/3.1"
    assert client.ends()


def test_a_websocket_stays_one_beside_other_protocols_6455_4(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(accepted())
        call.send(read_frame(call.stream).encode())
        call.close()

    origin.answers(handle)
    assert client.ask(handshake(b"/switching/")).status == 101
    client.send(Frame(TEXT, b"hello").encode())
    assert read_frame(client).payload == b"hello"


@pytest.mark.parametrize(
    "raw",
    [
        asking(b"Upgrade: tcp", target=b"/"),
        asking(b"Upgrade: foo"),
        asking(b"Upgrade: h2c", b"HTTP2-Settings: AA"),
        asking(b"Upgrade: websocket"),
        asking(b"Upgrade: tcp").replace(b"Connection: Upgrade", b"Connection: close"),
        asking(b"Upgrade: tcp").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["another service", "another protocol", "h2c", "a websocket by POST", "not in Connection", "HTTP/1.0"],
)
def test_what_is_not_listed_is_an_ordinary_request_9110_7_8(client: Client, origin: Script, raw: bytes) -> None:
    client.send(raw)
    assert client.answer(version=b"1.0" if b"HTTP/1.0" in raw else b"1.1").status == 200
    assert not origin.only.all(b"upgrade")


@pytest.mark.parametrize("protocol", [b"foo", b"websocket", b"tcp, foo", b""])
def test_a_switch_to_what_the_client_did_not_ask_for_is_502_9110_7_8(
    client: Client, origin: Script, protocol: bytes
) -> None:
    origin.answers(switched(protocol))
    answer = client.ask(asking(b"Upgrade: tcp"))
    assert (answer.status, answer.error) == (502, b"http_upgrade_failed")


def test_a_switch_before_the_whole_request_is_502_9110_7_8(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.send(switched()))
    answer = client.ask(asking(b"Upgrade: tcp", b"Content-Length: 10", body=b"hello"))
    assert (answer.status, answer.error) == (502, b"http_upgrade_failed")


def test_a_refused_switch_is_an_answer_as_any_other_9110_7_8(client: Client, origin: Script) -> None:
    assert client.ask(asking(b"Upgrade: tcp", b"Content-Length: 2", body=b"{}")).body == b"ok"
    assert client.ask(get(b"/switching/")).body == b"ok"
