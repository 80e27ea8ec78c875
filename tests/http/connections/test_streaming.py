"""S1: streams arrive as they are sent (gateway.md S1); C4: which clock runs while an answer trickles in."""

import threading
import time
from queue import SimpleQueue

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunk, get, message, post
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

CHUNKED = b"Transfer-Encoding: chunked"
NOTES = (b"Content-Type: text/event-stream", b"Cache-Control: no-cache", b"X-Accel-Buffering: no")
SSE = message(b"HTTP/1.1 200 OK", *NOTES, CHUNKED)


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


EVENTS = (SSE, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), b"0\r\n\r\n")
STREAMS = {
    "events": (get(b"/", b"Accept: text/event-stream", b"Last-Event-ID: 41"), EVENTS),
    "events that nobody asked for": (get(), EVENTS),
    "events for a client that takes gzip": (get(b"/", b"Accept-Encoding: gzip"), EVENTS),
    "events as an answer to a POST": (post(b"/", b"Accept: text/event-stream", body=b"{}"), EVENTS),
    "events for HTTP/1.0": (message(b"GET / HTTP/1.0", HOST), EVENTS),
    "a counted body": (get(), (message(b"HTTP/1.1 200 OK", b"Content-Length: 8"), b"part", b"last")),
    "a body up to the close": (get(), (message(b"HTTP/1.1 200 OK"), b"part", b"last")),
    "one chunk": (get(), (message(b"HTTP/1.1 200 OK", CHUNKED), b"8\r\npart", b"last\r\n")),
}


@pytest.mark.parametrize(("raw", "pieces"), STREAMS.values(), ids=STREAMS)
def test_the_head_and_each_piece_arrive_before_the_next_is_sent_S1(
    client: Client, origin: Script, raw: bytes, pieces: tuple[bytes, ...]
) -> None:
    handler = Stepwise(*pieces)
    origin.answers(handler)
    client.send(raw)
    answer = client.head(b"1.0" if b"HTTP/1.0" in raw else b"1.1")
    assert not answer.all(b"content-encoding")
    if pieces is EVENTS:
        assert (answer.get(b"x-accel-buffering"), answer.get(b"cache-control")) == (b"no", b"no-cache")
    for piece in pieces[1:3]:
        handler.next.release()
        client.until(piece.split(b"\r\n")[1 if piece[:1].isdigit() else 0])
    for _ in pieces:
        handler.next.release()
    assert origin.only.get(b"last-event-id") == (b"41" if b"41" in raw else None)


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


def test_request_and_response_can_stream_at_the_same_time_S1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(message(b"HTTP/1.1 200 OK", CHUNKED))
        for n in range(3):
            call.stream.until(b"ping %d" % n)
            call.send(chunk(b"pong %d" % n))
        call.stream.until(b"0\r\n\r\n")
        call.request.body = b""
        call.send(b"0\r\n\r\n")

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, CHUNKED))
    client.head()
    for n in range(3):
        client.send(chunk(b"ping %d" % n))
        client.until(b"pong %d" % n)
    client.send(b"0\r\n\r\n")
    client.until(b"0\r\n\r\n")


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: " + b"y" * 200 + b"\r\n\r\nok"


def test_a_head_that_comes_byte_by_byte_does_not_renew_the_response_timeout_C4(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        for at in range(len(ANSWER)):
            call.stream.send_if_open(ANSWER[at : at + 1])
            if call.stream.socket.fileno() < 0 or call.gone(0.05):
                break
        call.close()

    origin.answers(handle)
    answer = client.ask(get(b"/quick/"))
    assert (answer.status, answer.error) == (504, b"http_response_timeout")


@pytest.mark.parametrize(
    ("lines", "is_silent"),
    [
        (b"Content-Type: Text/Event-Stream; charset=utf-8", True),
        (b"content-type:text/event-stream", True),
        (b"Content-Type: text/plain\r\nX-Note: not text/event-stream", False),
    ],
)
def test_a_stream_of_events_is_known_by_its_media_type_alone_9110_8_3_1(
    client: Client, origin: Script, lines: bytes, is_silent: bool
) -> None:
    """Silent for as long as it likes; all else has the idle limit."""

    def handle(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\ndata: 1\n\n")
        if not call.gone(2.5 if is_silent else DEADLINE_S):
            call.send(b"data: 2\n\n")
        call.end()

    origin.answers(handle)
    client.send(get(b"/quick/", b"Connection: close"))
    client.head()
    assert (b"data: 2" in client.rest()) is is_silent


def test_a_client_that_pauses_within_its_body_is_not_told_that_the_upstream_is_slow_C4(
    client: Client, origin: Script
) -> None:
    client.send(message(b"POST /hasty/ HTTP/1.1", HOST, b"Content-Length: 10", body=b"hello"))
    assert origin.saw(1)
    assert client.stays_silent(1.5)
    client.send(b"world")
    assert client.answer().status == 200
    assert origin.only.body == b"helloworld"
