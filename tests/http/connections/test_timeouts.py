"""C4: everything that waits ends (gateway.md C4, RFC 9110 §15.5.9)."""

import threading
from collections.abc import Sequence

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, Truncated, chunk, get, message, ok
from tests.http.origin import Call, Script, Watch
from tests.http.stream import DEADLINE_S

pytestmark = pytest.mark.walk

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
GAP_S = 0.4
"""So far below the time-outs that a busy machine does not reach them."""
LONG_S = 3.0
"""Twice the time-outs of the service `quick` and of the impatient gateway."""


@pytest.fixture
def hurried(impatient: GatewayProcess) -> Client:
    return impatient.connect()


def trickle(client: Client, pieces: Sequence[bytes]) -> int:
    """Sends a piece now and then until the gateway has enough of it; how many those were."""
    for sent, piece in enumerate(pieces, 1):
        client.send_if_open(piece)
        if not client.stays_silent(GAP_S):
            return sent
    return len(pieces)


@pytest.mark.parametrize("before", [b"", b"\r\n", get()], ids=["nothing", "an empty line", "a request"])
def test_a_connection_without_a_request_is_closed_in_time_9112_9_5(
    hurried: Client, origin: Script, before: bytes
) -> None:
    hurried.send(before)
    assert before != get() or hurried.answer().status == 200
    seen = hurried.rest()
    assert not seen or before == b"\r\n", "an idle connection is closed without a word"


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(("sent", "more"), [(b"G", b""), (HEAD + b"X-A: ", b""), (HEAD, b""), (HEAD, b"X-A: 1\r\n")])
def test_a_header_that_stops_or_trickles_is_408_and_the_close_9110_15_5_9(
    hurried: Client, origin: Script, sent: bytes, more: bytes
) -> None:
    hurried.send(sent)
    assert not more or trickle(hurried, [more] * 20) < 20
    answer = hurried.answer()
    assert (answer.status, answer.error is not None) == (408, True)
    assert hurried.ends()
    assert not origin.requests


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_body_that_stops_is_408_and_never_completed_9110_15_5_9(
    hurried: Client, origin: Script, framing: bytes
) -> None:
    watch = Watch(read_body=False)
    origin.answers(watch)
    hurried.send(message(b"POST / HTTP/1.1", HOST, framing, body=b"5\r\nhello\r\n"))
    answer = hurried.answer()
    assert (answer.status, answer.error is not None) == (408, True)
    assert hurried.ends()
    assert watch.left.wait(DEADLINE_S)
    assert not watch.rest.endswith(b"0\r\n\r\n")


def test_a_body_that_keeps_coming_slowly_is_taken_C4(hurried: Client, origin: Script) -> None:
    hurried.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 6"))
    trickle(hurried, [b"x"] * 6)
    assert hurried.answer().status == 200
    assert origin.only.body == b"xxxxxx"


def test_a_client_that_waits_for_a_slow_answer_is_not_taken_for_idle_C4(hurried: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        threading.Event().wait(LONG_S)
        call.reply(ok())

    origin.answers(handle)
    assert hurried.ask(get()).status == 200


@pytest.mark.parametrize("sent", [CHUNKED + chunk(b"part"), b"HTTP/1.1 200 OK\r\nContent-"], ids=["body", "head"])
def test_an_upstream_that_stops_is_cut_off_or_504_C4(client: Client, origin: Script, sent: bytes) -> None:
    watch = Watch(sent)
    origin.answers(watch)
    client.send(get(b"/quick/a"))
    if sent.startswith(CHUNKED):
        with pytest.raises(Truncated):
            client.answer()
    else:
        answer = client.answer()
        assert (answer.status, answer.error) == (504, b"http_response_timeout")
    assert watch.left.wait(DEADLINE_S)


def test_an_upstream_that_keeps_sending_slowly_is_never_cut_off_C4(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.reply(CHUNKED)
        for _ in range(6):
            threading.Event().wait(GAP_S)
            call.send(chunk(b"x"))
        call.send(b"0\r\n\r\n")

    origin.answers(handle)
    assert client.ask(get(b"/quick/a")).body == b"xxxxxx"


def test_the_time_for_an_answer_counts_from_the_end_of_the_upload_C4(client: Client, origin: Script) -> None:
    client.send(message(b"POST /quick/a HTTP/1.1", HOST, b"Content-Length: 6"))
    for _ in range(6):
        threading.Event().wait(GAP_S)
        client.send(b"x")
    assert client.answer().status == 200
    assert origin.only.body == b"xxxxxx"


def test_an_event_stream_may_be_silent_as_long_as_it_likes_C4(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.reply(EVENTS + chunk(b"data: 1\n\n"))
        threading.Event().wait(LONG_S)
        call.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    origin.answers(handle)
    assert client.ask(get(b"/quick/a", b"Accept: text/event-stream")).body == b"data: 1\n\ndata: 2\n\n"


def test_a_client_that_reads_slowly_does_not_run_its_upstream_into_a_time_out_C4(
    gateway: GatewayProcess, origin: Script
) -> None:
    client = gateway.connect(receive_buffer=65536)
    origin.answers(ok(body=b"x" * 12_000_000))
    client.send(get(b"/quick/a"))
    threading.Event().wait(LONG_S)
    assert len(client.answer().body) == 12_000_000


def test_a_connection_that_only_floods_empty_lines_is_ended_C4(hurried: Client, origin: Script) -> None:
    assert trickle(hurried, [b"\r\n"] * 20) < 20
    hurried.rest()
    assert not origin.requests
