"""C2: a client that leaves takes its upstream request with it (gateway.md C2)."""

import threading
from collections.abc import Callable

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok, ok_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Leave = Callable[[Client], None]
LEAVING = pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])


class Watch:
    """A handler that sends something and then waits for the gateway to leave."""

    def __init__(self, first: bytes = b"", read_body: bool = True) -> None:
        self.first = first
        self.read_body = read_body
        self.seen = threading.Event()
        self.left = threading.Event()

    def __call__(self, call: Call) -> None:
        if self.read_body:
            call.body()
        call.send(self.first)
        self.seen.set()
        call.stream.socket.settimeout(DEADLINE_S)
        while call.stream.fill():
            pass
        self.left.set()
        call.close()


@LEAVING
@pytest.mark.parametrize(
    ("first", "raw"),
    [
        (b"", get()),
        (b"HTTP/1.1 103 Hints\r\n\r\n", get()),
        (b"HTTP/1.1 200 OK\r\nContent-", get()),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", get()),
        (CHUNKED + chunk(b"data: 1\n\n"), get(b"/", b"Accept: text/event-stream")),
        (b"HTTP/1.1 200 OK\r\n\r\npart", get()),
        (b"", message(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello")),
        (b"", message(b"GET / HTTP/1.0", HOST)),
    ],
    ids=[
        "before the head",
        "after a 103",
        "in mid-head",
        "in mid-body",
        "in mid-stream",
        "unframed",
        "after a POST",
        "1.0",
    ],
)
def test_a_client_that_leaves_ends_the_upstream_request_C2(
    client: Client, origin: Script, leave: Leave, first: bytes, raw: bytes
) -> None:
    watch = Watch(first)
    origin.answers(watch)
    client.send(raw)
    assert watch.seen.wait(DEADLINE_S)
    leave(client)
    assert watch.left.wait(DEADLINE_S)


@LEAVING
@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_client_that_leaves_within_its_body_completes_no_request_F11(
    client: Client, origin: Script, leave: Leave, framing: bytes
) -> None:
    watch = Watch(read_body=False)
    origin.answers(watch)
    client.send(message(b"POST / HTTP/1.1", HOST, framing, body=b"5\r\nhello\r\n"))
    assert watch.seen.wait(DEADLINE_S)
    leave(client)
    assert watch.left.wait(DEADLINE_S)


def test_a_cut_chunked_body_never_looks_complete_F11(client: Client, origin: Script) -> None:
    seen: list[bytes] = []

    def handle(call: Call) -> None:
        seen.append(call.stream.rest())
        call.close()

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", body=chunk(b"hello")))
    assert origin.saw(1)
    client.close()
    origin.wait_for(lambda: bool(seen))
    assert not seen[0].endswith(b"0\r\n\r\n")


def test_a_half_close_within_the_body_is_no_end_of_the_body_F11(client: Client, origin: Script) -> None:
    seen: list[bytes] = []

    def handle(call: Call) -> None:
        seen.append(call.stream.rest())
        call.close()

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 10", body=b"hello"))
    assert origin.saw(1)
    client.finish()
    origin.wait_for(lambda: bool(seen))
    assert len(seen[0]) <= 5
    assert b"200" not in client.rest()[:15]


@LEAVING
@pytest.mark.parametrize("size", [500_000, 5_000_000, 50_000_000])
@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_a_client_that_leaves_while_it_is_slow_ends_the_upstream_request_C2(
    gateway: GatewayProcess, origin: Script, leave: Leave, size: int, framing: str
) -> None:
    ended = threading.Event()
    answer = ok(body=b"x" * size) if framing == "counted" else ok_chunked(b"x" * size)

    def handle(call: Call) -> None:
        call.body()
        call.stream.send_if_open(answer[:-10])
        call.stream.rest()
        ended.set()
        call.close()

    origin.answers(handle)
    client = gateway.connect(receive_buffer=4096)
    client.send(get())
    assert client.head().status == 200
    leave(client)
    assert ended.wait(DEADLINE_S)


def test_a_client_that_leaves_before_its_answer_starts_no_other_request_C2(client: Client, origin: Script) -> None:
    watch = Watch()
    origin.answers(watch)
    client.send(get(b"/1") + get(b"/2"))
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    assert watch.left.wait(DEADLINE_S)
    assert [request.target for request in origin.requests] == [b"/1"]


def test_places_of_clients_that_left_are_free_again_C2(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(5):
        watch = Watch()
        origin.answers(watch)
        client = gateway.connect()
        client.send(get(b"/narrow/a"))
        assert watch.seen.wait(DEADLINE_S), "the one place of the service is not free"
        client.close()
        assert watch.left.wait(DEADLINE_S)
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


def test_the_upstream_connection_of_a_client_that_left_is_not_reused_C2(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    watch = Watch(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    origin.answers(watch)
    client.send(get(b"/1"))
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    assert watch.left.wait(DEADLINE_S)
    origin.answers(lambda call: call.reply(ok(body=call.request.target)))
    assert gateway.connect().ask(get(b"/2")).body == b"/2"


def test_a_client_that_leaves_is_logged_as_499_C2(gateway: GatewayProcess, client: Client, origin: Script) -> None:
    watch = Watch()
    origin.answers(watch)
    client.send(get(b"/", b"X-Request-Id: left-before-the-answer"))
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    line = gateway.logged("left-before-the-answer")
    assert "499" in line


def test_a_client_that_only_connects_and_leaves_does_no_harm_C2(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(50):
        gateway.connect().close()
        gateway.connect().reset()
    assert gateway.connect().ask(get()).status == 200
