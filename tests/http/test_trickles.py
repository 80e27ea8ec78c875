"""C4, S1: which clock runs while an upstream's answer trickles in."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

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
