"""B1, B2: request bodies arrive whole, framed once, and as they are sent (RFC 9112 §6, §7.1)."""

import random
import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunk, chunked, get, message, ok, post, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S
from tests.http.verdicts import forwarded

CHUNKED_HEAD = message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
BINARY = random.Random(1).randbytes(100_000)


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 65_537, 1_000_000])
def test_a_counted_body_arrives_whole_and_counted_9112_6_2(client: Client, origin: Script, size: int) -> None:
    body = (BINARY * 11)[:size]
    request = forwarded(client, origin, post(body=body))
    assert request.body == body
    assert request.get(b"content-length") == b"%d" % size


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PUT", b"HEAD", b"REPORT"])
def test_a_body_of_any_method_arrives_and_none_stays_none_9110_9_3(
    client: Client, origin: Script, method: bytes
) -> None:
    length, coding = b"Content-Length: %d", b"Transfer-Encoding: chunked"
    rows = [([length % 5], b"hello"), ([coding], chunked(b"hello")), ([length % 0], b""), ([], b"")]
    for lines, body in rows:
        assert client.ask(message(method + b" /x HTTP/1.1", HOST, *lines, body=body), method).status == 200
    assert [request.body for request in origin.requests] == [b"hello", b"hello", b"", b""]
    zero, none = origin.requests[2:]
    assert zero.get(b"content-length") == b"0"
    assert none.get(b"content-length") in (None, b"0")
    assert not none.all(b"transfer-encoding")


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"1\r\nh\r\n0004\r\nello\r\n000\r\n\r\n", b"hello"),
        (b'5 ; n = v;a="b;c\\"d"\r\nhello\r\n0;last=1\r\n\r\n', b"hello"),
        (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
        (b"10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n", b"x" * 65536),
    ],
)
def test_a_chunked_body_arrives_whole_9112_7_1(client: Client, origin: Script, encoded: bytes, body: bytes) -> None:
    assert forwarded(client, origin, CHUNKED_HEAD.replace(b"chunked", b" Chunked ") + encoded).body == body
    assert client.ask(get()).status == 200


def test_a_large_chunked_body_arrives_whole_9112_7_1(client: Client, origin: Script) -> None:
    rest, pieces = BINARY * 10, []
    sizes = random.Random(2)
    while rest:
        size = sizes.choice([1, 17, 4096, 70_000])
        pieces.append(rest[:size])
        rest = rest[size:]
    assert forwarded(client, origin, post_chunked(*pieces)).body == BINARY * 10


@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_the_upstream_sees_the_head_and_the_first_bytes_before_the_last_are_sent_B1(
    client: Client, origin: Script, framing: str
) -> None:
    began, arrived = threading.Event(), threading.Event()

    def handle(call: Call) -> None:
        began.set()
        first = call.stream.until(b"first")
        arrived.set()
        call.stream.buffer = first + call.stream.buffer
        call.reply(ok(body=call.body()))

    origin.answers(handle)
    counted = message(b"POST / HTTP/1.1", HOST, b"Content-Length: 9")
    head, first, last = (
        (counted, b"first", b"last") if framing == "counted"
        else (CHUNKED_HEAD, chunk(b"first"), chunk(b"last") + b"0\r\n\r\n")
    )  # fmt: skip
    client.send(head)
    assert began.wait(DEADLINE_S), "the head waits for the body"
    client.send(first)
    assert arrived.wait(DEADLINE_S), "the body is buffered"
    client.send(last)
    assert client.answer().body == b"firstlast"


def test_bodies_on_one_connection_do_not_mix_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.reply(ok(body=call.body())))
    for body in (b"one", b"", b"three" * 1000, b"4"):
        assert client.ask(post(body=body)).body == body
        assert client.ask(post_chunked(*([body] if body else []))).body == body
