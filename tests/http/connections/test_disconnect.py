"""C2: a client that leaves takes its upstream request with it (gateway.md C2)."""

import threading
from collections.abc import Callable

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok, ok_chunked, post
from tests.http.origin import Call, Script, Watch
from tests.http.stream import DEADLINE_S

PART = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Leave = Callable[[Client], None]
LEAVING = pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])


def until_left(watch: Watch, client: Client, raw: bytes, leave: Leave = Client.close) -> None:
    """Sends, leaves when the upstream has seen it, and waits until the gateway has left too."""
    client.send(raw)
    assert watch.seen.wait(DEADLINE_S)
    leave(client)
    assert watch.left.wait(DEADLINE_S)


STAGES = {
    "before the head": (b"", get()),
    "after a 103": (b"HTTP/1.1 103 Hints\r\n\r\n", get()),
    "in mid-head": (b"HTTP/1.1 200 OK\r\nContent-", get()),
    "in mid-body": (PART, get()),
    "in mid-stream": (CHUNKED + chunk(b"data: 1\n\n"), get(b"/", b"Accept: text/event-stream")),
    "unframed": (b"HTTP/1.1 200 OK\r\n\r\npart", get()),
    "after a POST": (b"", post()),
    "1.0": (b"", message(b"GET / HTTP/1.0", HOST)),
    "with another request behind it": (b"", get() + get(b"/2")),
}


@LEAVING
@pytest.mark.parametrize(("first", "raw"), STAGES.values(), ids=STAGES)
def test_a_client_that_leaves_ends_the_upstream_request_C2(
    client: Client, origin: Script, leave: Leave, first: bytes, raw: bytes
) -> None:
    watch = Watch(first)
    origin.answers(watch)
    until_left(watch, client, raw, leave)
    assert origin.only.target == b"/"


def test_the_upstream_connection_of_a_client_that_left_is_not_reused_and_it_is_logged_as_499_C2(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    watch = Watch(PART)
    origin.answers(watch)
    until_left(watch, client, get(b"/1"))
    origin.answers(lambda call: call.reply(ok(body=call.request.target)))
    assert gateway.connect().ask(get(b"/2")).body == b"/2"
    watch = Watch()
    origin.answers(watch)
    until_left(watch, gateway.connect(), get(b"/", b"X-Request-Id: left-before-the-answer"))
    assert "499" in gateway.logged("left-before-the-answer")


@pytest.mark.parametrize("leave", [Client.close, Client.reset, Client.finish], ids=["close", "reset", "half-close"])
@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_client_that_leaves_within_its_body_completes_no_request_F11(
    client: Client, origin: Script, leave: Leave, framing: bytes
) -> None:
    watch = Watch(read_body=False)
    origin.answers(watch)
    until_left(watch, client, message(b"POST / HTTP/1.1", HOST, framing, body=chunk(b"hello")), leave)
    assert not watch.rest.endswith(b"0\r\n\r\n")
    assert len(watch.rest) <= 10
    assert leave is not Client.finish or b"200" not in client.rest()[:15]


@LEAVING
@pytest.mark.parametrize("size", [500_000, 50_000_000])
@pytest.mark.parametrize("answer", [lambda body: ok(body=body), ok_chunked], ids=["counted", "chunked"])
def test_a_client_that_leaves_while_it_is_slow_ends_the_upstream_request_C2(
    gateway: GatewayProcess, origin: Script, leave: Leave, size: int, answer: Callable[[bytes], bytes]
) -> None:
    watch = Watch(answer(b"x" * size)[:-10])
    origin.answers(watch)
    client = gateway.connect(receive_buffer=4096)
    client.send(get())
    assert client.head().status == 200
    leave(client)
    assert watch.left.wait(DEADLINE_S)


def test_places_of_clients_that_left_are_free_again_C2(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(5):
        watch = Watch()
        origin.answers(watch)
        until_left(watch, gateway.connect(), get(b"/narrow/a"))
    origin.answers(ok(body=b"free"))
    assert gateway.connect().ask(get(b"/narrow/a")).body == b"free"


def test_a_client_that_leaves_the_queue_is_not_sent_for_C2(gateway: GatewayProcess, origin: Script) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.reply(ok())

    origin.answers(handle)
    first, second, third = (gateway.connect() for _ in range(3))
    first.send(get(b"/narrow/1"))
    assert origin.saw(1)
    second.send(get(b"/narrow/2", b"X-Request-Id: left-the-queue"))
    assert second.stays_silent(0.05)
    second.close()
    assert "499" in gateway.logged("left-the-queue")
    third.send(get(b"/narrow/3"))
    assert third.stays_silent(0.05)
    proceed.set()
    assert [c.answer().status for c in (first, third)] == [200, 200]
    assert [request.target for request in origin.requests] == [b"/narrow/1", b"/narrow/3"]


def test_a_client_that_only_connects_and_leaves_does_no_harm_C2(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(50):
        gateway.connect().close()
        gateway.connect().reset()
    assert gateway.connect().ask(get()).status == 200
