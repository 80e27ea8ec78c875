"""R8, R9, R12: a gateway that stores nothing judges nothing (RFC 9110 §7.7, §8, §13, §14)."""

import gzip

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

CONDITIONS = [
    b'If-Match: "a"', b'If-None-Match: "a", W/"b"', b"If-None-Match: *",
    b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    b'If-Range: "a"', b"Range: bytes=0-9", b"Range: bytes=0-0,-1", b"Range: bytes=5-2", b"Range: lines=1-2",
    b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT",
]  # fmt: skip


@pytest.mark.parametrize("line", CONDITIONS)
def test_a_condition_or_range_is_the_upstreams_to_judge_9110_13_2_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(ok(b'ETag: "a"', b"Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT", body=b"0123456789abcdef"))
    request = forwarded(client, origin, get(b"/", line))
    assert tuple(line.split(b": ", 1)) in request.fields


@pytest.mark.parametrize("line", CONDITIONS)
def test_an_upstream_that_ignores_a_condition_is_passed_on_9110_13_2_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(ok(b'ETag: "a"', b"Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT", body=b"0123456789abcdef"))
    answer = client.ask(get(b"/", line))
    assert (answer.status, answer.body) == (200, b"0123456789abcdef")


MULTIPART = b"--x\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--x\r\nContent-Range: bytes 8-8/9\r\n\r\nb\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("status", "lines", "body"),
    [
        (b"206 Partial", [b"Content-Range: bytes 0-3/10", b'ETag: W/"x"'], b"0123"),
        (b"206 Partial", [b"Content-Type: multipart/byteranges; boundary=x"], MULTIPART),
        (b"416 Unsatisfiable", [b"Content-Range: bytes */10"], b""),
        (b"412 Failed", [b'ETag: "b"'], b"precondition"),
        (b"428 Required", [], b"condition"),
        (b"200 OK", [b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", b'ETag: ""'], b"x"),
    ],
)
def test_partial_and_conditional_answers_pass_untouched_9110_15(
    client: Client, origin: Script, status: bytes, lines: list[bytes], body: bytes
) -> None:
    origin.answers(ok(*lines, body=body, status=status))
    answer = client.ask(get(b"/", b"Range: bytes=0-3"))
    assert (answer.start, answer.body) == (b"HTTP/1.1 " + status, body)
    assert [line for line in lines if tuple(line.split(b": ", 1)) not in answer.fields] == []


@pytest.mark.parametrize("value", [None, b"gzip", b"gzip, deflate, br;q=0.1", b"identity", b"*;q=0", b""])
def test_accept_encoding_is_what_the_client_sent_9110_12_5_3(
    client: Client, origin: Script, value: bytes | None
) -> None:
    lines = [] if value is None else [b"Accept-Encoding: " + value]
    assert forwarded(client, origin, get(b"/", *lines)).get(b"accept-encoding") == value


@pytest.mark.parametrize(
    "name",
    [
        b"user-agent",
        b"accept",
        b"accept-language",
        b"cookie",
        b"authorization",
        b"referer",
        b"content-type",
        b"cache-control",
        b"pragma",
    ],
)
def test_what_the_client_left_out_stays_out_9110_7_7(client: Client, origin: Script, name: bytes) -> None:
    assert not forwarded(client, origin, get()).all(name)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"hello" * 1000, mtime=0)),
        (b"br", b"\x8b\x02\x80hello\x03"),
        (b"zstd", b"\x28\xb5\x2f\xfd\x00"),
        (b"gzip, br", b"\x00\x01\x02"),
        (b"unknown", b"\xff\xfe"),
        (b"gzip", b"not gzip at all"),
        (b"identity", b"plain"),
    ],
)
@pytest.mark.parametrize("accept", [[], [b"Accept-Encoding: gzip"]])
def test_a_content_coding_is_left_alone_9110_8_4(
    client: Client, origin: Script, coding: bytes, body: bytes, accept: list[bytes]
) -> None:
    origin.answers(ok(b"Content-Encoding: " + coding, b'ETag: "strong"', b"Vary: Accept-Encoding", body=body))
    answer = client.ask(get(b"/", *accept))
    assert answer.body == body
    assert answer.get(b"content-encoding") == coding
    assert answer.get(b"content-length") == b"%d" % len(body)
    assert answer.get(b"etag") == b'"strong"'
    assert answer.get(b"vary") == b"Accept-Encoding"


@pytest.mark.parametrize("content_type", [b"text/html", b"application/json", b"text/css; charset=utf-8"])
def test_nothing_is_compressed_that_came_plain_9110_7_7(client: Client, origin: Script, content_type: bytes) -> None:
    body = b"a" * 100_000
    origin.answers(ok(b"Content-Type: " + content_type, body=body))
    answer = client.ask(get(b"/", b"Accept-Encoding: gzip, br"))
    assert answer.body == body
    assert not answer.all(b"content-encoding")


def test_no_transform_is_respected_9110_7_7(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Cache-Control: no-transform", b"Content-Type: text/html", body=b"<a href='http://127.0.0.1/'>"))
    answer = client.ask(get(b"/", b"Cache-Control: no-transform", b"Accept-Encoding: gzip"))
    assert answer.body == b"<a href='http://127.0.0.1/'>"
    assert answer.get(b"cache-control") == b"no-transform"


def test_an_answer_without_content_type_gets_none_9110_8_3(client: Client, origin: Script) -> None:
    assert not client.ask(get()).all(b"content-type")


def test_the_upstreams_date_and_server_are_kept_9110_6_6_1(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Server: U"))
    answer = client.ask(get())
    assert answer.all(b"date") == [b"Sun, 06 Nov 1994 08:49:37 GMT"]
    assert answer.all(b"server") == [b"U"]


def test_an_answer_without_server_gets_none_R12(client: Client, origin: Script) -> None:
    assert not client.ask(get()).all(b"server")


def test_nothing_else_is_added_to_an_answer_R12(client: Client, origin: Script) -> None:
    names = {name.lower() for name, _ in client.ask(get()).fields}
    assert names <= {b"content-length", b"date", b"via", b"connection", b"keep-alive"}


def test_cookies_of_one_client_are_not_kept_for_another_9110_7_6(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Set-Cookie: session=alice; Path=/"))
    client.ask(get())
    client.ask(get())
    assert not origin.requests[1].all(b"cookie")


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Temp", b"308 Perm"])
def test_a_redirect_is_never_followed_9110_15_4(client: Client, origin: Script, status: bytes) -> None:
    origin.answers(ok(b"Location: /elsewhere", status=status, body=b"moved"))
    answer = client.ask(get())
    assert (answer.status, answer.get(b"location"), answer.body) == (int(status[:3]), b"/elsewhere", b"moved")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("status", [b"401 No", b"407 Proxy"])
def test_a_challenge_is_never_answered_by_the_gateway_9110_11(client: Client, origin: Script, status: bytes) -> None:
    origin.answers(ok(b"WWW-Authenticate: Basic realm=x", status=status))
    assert client.ask(get()).status == int(status[:3])
    assert len(origin.requests) == 1


def test_an_answer_in_pieces_is_the_same_answer_9110_7_7(client: Client, origin: Script) -> None:
    origin.answers(ok(body=bytes(range(256)) * 100))
    assert client.ask(message(b"GET / HTTP/1.1", HOST)).body == bytes(range(256)) * 100
