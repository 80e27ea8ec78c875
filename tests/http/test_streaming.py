"""S1: streams arrive as they are sent (gateway.md S1)."""

import threading
import time
from queue import SimpleQueue

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunk, get, message, ok_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

SSE = message(
    b"HTTP/1.1 200 OK", b"Content-Type: text/event-stream", b"Cache-Control: no-cache", b"X-Accel-Buffering: no",
    b"Transfer-Encoding: chunked",
)  # fmt: skip


class Stepwise:
    """Sends the next piece when the test says so."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.next = threading.Semaphore(0)

    def __call__(self, call: Call) -> None:
        call.body()
        for piece in self.pieces:
            call.send(piece)
            assert self.next.acquire(timeout=DEADLINE_S)


@pytest.mark.parametrize("accept", [[b"Accept: text/event-stream"], [], [b"Accept-Encoding: gzip"]])
def test_each_event_arrives_before_the_next_is_sent_S1(client: Client, origin: Script, accept: list[bytes]) -> None:
    handler = Stepwise(SSE, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), b"0\r\n\r\n")
    origin.answers(handler)
    client.send(get(b"/events", *accept, b"Last-Event-ID: 41"))
    answer = client.head()
    assert (answer.get(b"x-accel-buffering"), answer.get(b"cache-control")) == (b"no", b"no-cache")
    assert not answer.all(b"content-encoding")
    for n in (1, 2):
        handler.next.release()
        assert client.until(b"data: %d\n\n\r\n" % n)
    handler.next.release()
    client.until(b"0\r\n\r\n")
    handler.next.release()
    assert origin.only.get(b"last-event-id") == b"41"


def test_an_event_arrives_within_20_ms_S1(client: Client, origin: Script) -> None:
    """One of two hundred: the machine may be busy with others."""
    more, sent, delays = SimpleQueue[bool](), [0.0], [1.0]

    def handle(call: Call) -> None:
        call.reply(SSE)
        while more.get(timeout=DEADLINE_S):
            sent.append(time.monotonic())
            call.send(chunk(b"data: %d\n\n" % len(sent)))

    origin.answers(handle)
    client.send(get())
    client.head()
    while len(delays) <= 200 and min(delays) >= 0.02:
        more.put(True)
        client.until(b"\n\n\r\n")
        delays.append(time.monotonic() - sent[-1])
    more.put(False)
    assert min(delays) < 0.02


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", b"part"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"part"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8\r\npart"),
    ],
    ids=["counted", "up to the close", "within a chunk"],
)
def test_a_piece_of_any_body_arrives_before_the_next_is_sent_S1(
    client: Client, origin: Script, head: bytes, piece: bytes
) -> None:
    handler = Stepwise(head, piece, b"last")
    origin.answers(handler)
    client.send(get())
    client.head()
    handler.next.release()
    client.until(b"part")
    handler.next.release()
    client.until(b"last")
    handler.next.release()


def test_the_head_arrives_before_any_body_S1(client: Client, origin: Script) -> None:
    handler = Stepwise(message(b"HTTP/1.1 200 OK", b"Content-Length: 4"), b"body")
    origin.answers(handler)
    client.send(get())
    assert client.head().status == 200
    handler.next.release()
    assert client.exactly(4) == b"body"
    handler.next.release()


def test_an_http_1_0_client_gets_a_stream_piece_by_piece_S1(client: Client, origin: Script) -> None:
    handler = Stepwise(SSE, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n") + b"0\r\n\r\n")
    origin.answers(handler)
    client.send(message(b"GET / HTTP/1.0", HOST))
    client.head(b"1.0")
    handler.next.release()
    assert client.exactly(9) == b"data: 1\n\n"
    handler.next.release()
    assert client.rest() == b"data: 2\n\n"
    handler.next.release()


def test_a_post_can_be_answered_by_a_stream_S1(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"data: 1\n\n", lines=(b"Content-Type: text/event-stream",)))
    raw = message(b"POST / HTTP/1.1", HOST, b"Content-Length: 2", b"Accept: text/event-stream", body=b"{}")
    assert client.ask(raw).body == b"data: 1\n\n"


def test_request_and_response_can_stream_at_the_same_time_S1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
        for n in range(3):
            call.stream.until(b"ping %d" % n)
            call.send(chunk(b"pong %d" % n))
        call.stream.until(b"0\r\n\r\n")
        call.request.body = b""
        call.send(b"0\r\n\r\n")

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked"))
    client.head()
    for n in range(3):
        client.send(chunk(b"ping %d" % n))
        client.until(b"pong %d" % n)
    client.send(b"0\r\n\r\n")
    client.until(b"0\r\n\r\n")
