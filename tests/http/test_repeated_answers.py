"""An upstream that sends the same head again and again is understood each time as if it had sent it once."""

import random

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, Truncated, chunk, get, message, ok, ok_chunked, post
from tests.http.origin import Call, Script

HEAD = message(b"HEAD / HTTP/1.1", HOST)
COUNTED = message(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Connection: keep-alive", b"X-A: 1")
CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
ANSWERS = {
    "counted": COUNTED + b"hello",
    "counted, another body": COUNTED + b"world",
    "chunked": CHUNKED + chunk(b"hello") + b"0\r\n\r\n",
    "chunked, another body": CHUNKED + chunk(b"wor") + chunk(b"ld") + b"0\r\n\r\n",
    "empty": message(b"HTTP/1.1 200 OK", b"Content-Length: 0"),
    "none": message(b"HTTP/1.1 204 No Content"),
    "unchanged": message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"),
    "nominated": message(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Connection: X-A", b"X-A: 1", body=b"hello"),
    "moved": message(b"HTTP/1.1 302 Found", b"Location: /b", b"Content-Length: 0"),
    "cookie": message(b"HTTP/1.1 200 OK", b"Set-Cookie: a=b", b"Content-Length: 5", body=b"hello"),
    "twice as long": message(b"HTTP/1.1 200 OK", b"Content-Length: 5, 5", body=b"hello"),
    "informed": message(b"HTTP/1.1 103 Early Hints", b"Link: </a>") + COUNTED + b"hello",
}


def test_each_answer_means_what_it_means_alone(gateway: GatewayProcess, origin: Script) -> None:
    alone = {}
    for name, raw in ANSWERS.items():
        origin.fresh()
        alone[name] = seen(gateway.connect(), origin, raw)
    source = random.Random(4)
    client = gateway.connect()
    for name in source.choices([*ANSWERS, "counted", "chunked"], k=120):
        assert seen(client, origin, ANSWERS[name]) == alone[name], name


def seen(client: Client, origin: Script, raw: bytes) -> tuple[object, ...]:
    """The answer as a client gets it; interim ones left out."""
    origin.answers(raw)
    client.send(get())
    if raw.startswith(b"HTTP/1.1 103"):
        client.interim()
    answer = client.answer()
    return answer.status, [field for field in answer.fields if field[0].lower() != b"date"], answer.body


def test_the_same_head_is_framed_by_the_request_that_it_answers(client: Client, origin: Script) -> None:
    def answer(call: Call) -> None:
        call.reply(COUNTED if call.request.method == b"HEAD" else COUNTED + b"hello")

    origin.answers(answer)
    for _ in range(5):
        assert client.ask(get()).body == b"hello"
        assert client.ask(HEAD, b"HEAD").body == b""
        assert client.ask(HEAD, b"HEAD").body == b""
        assert client.ask(post()).body == b"hello"


@pytest.mark.parametrize("cut", [1, 17, 50, len(COUNTED) - 2, len(COUNTED), len(COUNTED) + 2])
def test_a_repeated_head_may_come_in_pieces(client: Client, origin: Script, cut: int) -> None:
    def answer(call: Call) -> None:
        raw = COUNTED + b"hello"
        call.reply(raw[:cut])
        call.reply(raw[cut:])

    origin.answers(ok(b"X-A: 1", body=b"hello"))
    assert client.ask(get()).status == 200
    origin.answers(answer)
    for _ in range(3):
        assert client.ask(get()).body == b"hello"


def test_heads_that_differ_by_little_are_not_taken_for_the_same(client: Client, origin: Script) -> None:
    for n in range(100):
        value = b"%d" % (n // 2)
        origin.answers(ok(b"X-A: " + value))
        assert client.ask(get()).get(b"x-a") == value


def test_a_good_head_repeated_with_a_bad_body_is_refused_each_time(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"hello"))
    assert client.ask(get()).body == b"hello"
    origin.answers(CHUNKED + b"zz\r\n")
    client.send(get())
    with pytest.raises(Truncated):
        client.answer()
