"""B4: interim responses (RFC 9110 §15.2)."""

import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n"


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_interim_responses_are_forwarded_in_order_with_their_own_fields_9110_15_2(
    client: Client, origin: Script, byte_by_byte: bool
) -> None:
    hop = b"Connection: X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=1\r\nContent-Length: 5\r\n"
    others = b"".join(b"HTTP/1.1 %d X\r\n%sX-N: %d\r\n\r\n" % (code, hop, code) for code in (102, 104, 103, 199))
    raw = HINT + others + ok(b"X-Final: 1")

    def handle(call: Call) -> None:
        for piece in [bytes([byte]) for byte in raw] if byte_by_byte else [raw]:
            call.send(piece)

    origin.answers(handle)
    answer = client.ask(get())
    assert [int(head.start.split(b" ")[1]) for head in answer.interim] == [103, 102, 104, 103, 199]
    assert answer.interim[0].all(b"link") == [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]
    assert [head.get(b"x-n") for head in answer.interim[1:]] == [b"102", b"104", b"103", b"199"]
    assert not any(head.all(b"x-drop") for head in answer.interim)
    assert (answer.body, answer.get(b"x-final"), answer.all(b"link")) == (b"ok", b"1", [])


def test_an_interim_response_arrives_before_the_final_one_exists_9110_15_8(client: Client, origin: Script) -> None:
    seen = threading.Event()

    def handle(call: Call) -> None:
        call.send(HINT)
        assert seen.wait(DEADLINE_S), "the 103 is held back"
        call.reply(ok())

    origin.answers(handle)
    client.send(get())
    client.interim()
    seen.set()
    assert client.answer().status == 200


def test_a_100_that_nobody_asked_for_does_no_harm_9110_15_2_1(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.1 100 Continue\r\n\r\n" + ok())
    assert client.ask(get()).status == 200
    assert client.ask(get()).status == 200


def test_an_interim_response_to_head_keeps_the_framing_9110_15_2(client: Client, origin: Script) -> None:
    origin.answers(HINT + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    answer = client.ask(message(b"HEAD / HTTP/1.1", HOST), b"HEAD")
    assert (answer.status, len(answer.interim)) == (200, 1)
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize(
    "raw",
    [SWITCH + b"\r\n", SWITCH + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", HINT],
    ids=["a 101", "a 101 of a WebSocket", "no final response"],
)
def test_an_interim_response_that_leads_nowhere_is_502_9110_15_2_2(client: Client, origin: Script, raw: bytes) -> None:
    origin.answers(raw, close=True)
    answer = client.ask(get())
    assert (answer.status, answer.error is not None) == (502, True)


def test_an_endless_row_of_interim_responses_is_bounded_9110_15_2(client: Client, origin: Script) -> None:
    stopped = threading.Event()

    def handle(call: Call) -> None:
        try:
            for _ in range(100_000):
                call.send(HINT)
            call.send(ok())
        finally:
            stopped.set()

    origin.answers(handle)
    assert client.ask(get()).status == 502
    assert stopped.wait(DEADLINE_S)
