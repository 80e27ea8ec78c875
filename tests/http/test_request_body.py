"""B1, B2: request bodies arrive whole, framed once, and as they are sent (RFC 9112 §6, §7.1)."""

import random
import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunk, get, message, ok, post, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S
from tests.http.verdicts import forwarded

CHUNKED_HEAD = message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
BINARY = random.Random(1).randbytes(100_000)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 1023, 16_384, 65_535, 65_536, 65_537, 1_000_000])
def test_a_counted_body_arrives_whole_and_counted_9112_6_2(client: Client, origin: Script, size: int) -> None:
    body = (BINARY * 11)[:size]
    request = forwarded(client, origin, post(body=body))
    assert request.body == body
    assert request.get(b"content-length") == b"%d" % size


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"PURGE", b"HEAD", b"REPORT"])
@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_a_body_of_any_method_arrives_9110_9_3(client: Client, origin: Script, method: bytes, framing: str) -> None:
    line = method + b" /x HTTP/1.1"
    if framing == "counted":
        raw = message(line, HOST, b"Content-Length: 5", body=b"hello")
    else:
        raw = message(line, HOST, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n")
    assert forwarded(client, origin, raw).body == b"hello"


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"POST", b"PUT", b"OPTIONS"])
def test_no_body_stays_no_body_9112_6_3(client: Client, origin: Script, method: bytes) -> None:
    request = forwarded(client, origin, message(method + b" / HTTP/1.1", HOST))
    assert not request.all(b"transfer-encoding")
    assert request.get(b"content-length") in (None, b"0")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"GET", b"DELETE"])
def test_a_length_of_zero_passes_9110_8_6(client: Client, origin: Script, method: bytes) -> None:
    request = forwarded(client, origin, message(method + b" / HTTP/1.1", HOST, b"Content-Length: 0"))
    assert request.get(b"content-length") == b"0"


@pytest.mark.parametrize("length", [b"05", b"0000000005", b"5 ", b" 5", b"\t5"])
def test_leading_zeros_and_white_space_do_not_change_a_length_9110_8_6(
    client: Client, origin: Script, length: bytes
) -> None:
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length:" + length, body=b"hello"))
    if client.answer().status == 200:
        assert origin.only.body == b"hello"
    else:
        assert not origin.requests


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"5;name\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;name=value\r\nhello\r\n0;last=1\r\n\r\n", b"hello"),
        (b'5;n="a;b\\"c"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"5 ; n = v\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;a;b;c=d\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
        (b"10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n", b"x" * 65536),
    ],
)
def test_a_chunked_body_arrives_whole_9112_7_1(client: Client, origin: Script, encoded: bytes, body: bytes) -> None:
    request = forwarded(client, origin, CHUNKED_HEAD + encoded)
    assert request.body == body
    assert client.ask(get()).status == 200


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED", b" chunked ", b"\tchunked"])
def test_chunked_is_known_in_any_case_9112_7(client: Client, origin: Script, coding: bytes) -> None:
    raw = message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding:" + coding, body=b"5\r\nhello\r\n0\r\n\r\n")
    assert forwarded(client, origin, raw).body == b"hello"


def test_a_large_chunked_body_arrives_whole_9112_7_1(client: Client, origin: Script) -> None:
    rest, pieces = BINARY * 10, []
    sizes = random.Random(2)
    while rest:
        size = sizes.choice([1, 17, 4096, 70_000])
        pieces.append(rest[:size])
        rest = rest[size:]
    assert forwarded(client, origin, post_chunked(*pieces)).body == BINARY * 10


def test_a_chunked_request_byte_by_byte_arrives_whole_9112_7_1(client: Client, origin: Script) -> None:
    for byte in post_chunked(b"hel", b"lo", trailers=(b"X-T: 1",)):
        client.send(bytes([byte]))
    assert client.answer().status == 200
    assert origin.only.body == b"hello"


def test_a_counted_request_byte_by_byte_arrives_whole_9112_6_2(client: Client, origin: Script) -> None:
    for byte in post(body=b"hello"):
        client.send(bytes([byte]))
    assert client.answer().status == 200
    assert origin.only.body == b"hello"


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_a_request_in_two_segments_arrives_whole_9112_2_2(client: Client, origin: Script, at: int) -> None:
    raw = post_chunked(b"hello", lines=(b"X-A: 1",))
    client.send(raw[:at])
    client.send(raw[at:])
    assert client.answer().status == 200
    assert origin.only.body == b"hello"


@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_the_upstream_sees_the_first_bytes_before_the_last_are_sent_B1(
    client: Client, origin: Script, framing: str
) -> None:
    arrived = threading.Event()

    def handle(call: Call) -> None:
        first = call.stream.until(b"first")
        arrived.set()
        call.stream.buffer = first + call.stream.buffer
        call.reply(ok(body=call.body()))

    origin.answers(handle)
    if framing == "counted":
        client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 9", body=b"first"))
        last = b"last"
    else:
        client.send(CHUNKED_HEAD + chunk(b"first"))
        last = chunk(b"last") + b"0\r\n\r\n"
    assert arrived.wait(DEADLINE_S), "the body is buffered"
    client.send(last)
    assert client.answer().body == b"firstlast"


def test_the_head_reaches_the_upstream_before_any_body_B1(client: Client, origin: Script) -> None:
    arrived = threading.Event()

    def handle(call: Call) -> None:
        arrived.set()
        call.reply(ok())

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 5"))
    assert arrived.wait(DEADLINE_S)
    client.send(b"hello")
    assert client.answer().status == 200


def test_bodies_on_one_connection_do_not_mix_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.reply(ok(body=call.body())))
    for body in (b"one", b"", b"three" * 1000, b"4"):
        assert client.ask(post(body=body)).body == body
        assert client.ask(post_chunked(*([body] if body else []))).body == body


def test_content_fields_of_a_request_pass_9110_8(client: Client, origin: Script) -> None:
    lines = [b"Content-Type: a/b; c=d", b"Content-Encoding: gzip", b"Content-Language: de", b"Content-Location: /x",
             b"Content-MD5: Q2hlY2s=", b"Digest: sha-256=x", b"Content-Range: bytes 0-4/10"]  # fmt: skip
    request = forwarded(client, origin, post(b"/", *lines))
    assert [line for line in lines if tuple(line.split(b": ", 1)) not in request.fields] == []
