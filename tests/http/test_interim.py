"""B4: interim responses (RFC 9110 §15.2)."""

import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    ("interim", "status"),
    [(HINT, 103), (b"HTTP/1.1 102 Processing\r\n\r\n", 102), (b"HTTP/1.1 104 Upload Resumption\r\nX: 1\r\n\r\n", 104)],
)
def test_an_interim_response_is_forwarded_9110_15_2(
    client: Client, origin: Script, interim: bytes, status: int
) -> None:
    origin.answers(interim + ok())
    answer = client.ask(get())
    assert answer.status == 200
    assert [head.start.split(b" ")[1] for head in answer.interim] == [b"%d" % status]


def test_fields_of_an_interim_response_are_its_own_9110_15_2(client: Client, origin: Script) -> None:
    origin.answers(HINT + ok(b"X-Final: 1"))
    answer = client.ask(get())
    assert answer.interim[0].all(b"link") == [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]
    assert not answer.all(b"link")
    assert answer.get(b"x-final") == b"1"


def test_several_interim_responses_keep_their_order_9110_15_2(client: Client, origin: Script) -> None:
    codes = [102, 103, 102, 103, 199]
    origin.answers(b"".join(b"HTTP/1.1 %d X\r\nX-N: %d\r\n\r\n" % (c, n) for n, c in enumerate(codes)) + ok())
    answer = client.ask(get())
    assert answer.status == 200
    assert [int(head.start.split(b" ")[1]) for head in answer.interim] == codes


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


def test_an_interim_response_cut_anywhere_is_put_together_9112_2_2(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        for byte in HINT + ok():
            call.send(bytes([byte]))

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, len(answer.interim)) == (200, 1)


def test_hop_by_hop_fields_of_an_interim_response_are_dropped_9110_7_6_1(client: Client, origin: Script) -> None:
    origin.answers(
        b"HTTP/1.1 103 Hints\r\nConnection: X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=1\r\nLink: </a>\r\n\r\n" + ok()
    )
    hint = client.ask(get()).interim[0]
    assert not hint.all(b"x-drop")
    assert hint.get(b"link") == b"</a>"


@pytest.mark.parametrize("interim", [HINT, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"])
def test_an_http_1_0_client_gets_no_interim_response_9110_15_2(client: Client, origin: Script, interim: bytes) -> None:
    origin.answers(interim + ok())
    client.send(message(b"GET / HTTP/1.0", HOST))
    answer = client.answer(version=b"1.0")
    assert (answer.status, answer.interim) == (200, [])


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


@pytest.mark.parametrize(
    "lines", [b"", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n"]
)
def test_a_101_that_nobody_asked_for_is_502_9110_15_2_2(client: Client, origin: Script, lines: bytes) -> None:
    origin.answers(b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n")
    answer = client.ask(get())
    assert answer.status == 502
    assert answer.error


def test_an_interim_response_and_then_the_close_is_502_9112_8(client: Client, origin: Script) -> None:
    origin.answers(HINT, close=True)
    answer = client.ask(get())
    assert (answer.status, answer.error is not None) == (502, True)


def test_content_length_in_an_interim_response_has_no_body_9110_8_6(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n" + ok())
    assert client.ask(get()).body == b"ok"


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
    answer = client.ask(get())
    assert answer.status in (200, 502)
    assert stopped.wait(DEADLINE_S)
