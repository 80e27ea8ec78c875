"""R8, R9, R12: a gateway that stores nothing judges nothing (RFC 9110 §7.7, §8, §13, §14)."""

import gzip

import pytest

from tests.http.client import Client
from tests.http.message import get, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

CONDITIONS = [
    b'If-Match: "a"', b'If-None-Match: "a", W/"b"', b"If-None-Match: *", b'If-Range: "a"', b"Range: bytes=0-0,-1",
    b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    b"Range: bytes=5-2", b"Range: lines=1-2", b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT",
]  # fmt: skip


@pytest.mark.parametrize("line", CONDITIONS)
def test_a_condition_or_range_is_the_upstreams_to_judge_or_to_ignore_9110_13_2_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(ok(b'ETag: "a"', b"Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT", body=b"0123456789abcdef"))
    answer = client.ask(get(b"/", line))
    assert tuple(line.split(b": ", 1)) in origin.only.fields
    assert (answer.status, answer.body) == (200, b"0123456789abcdef")


MULTIPART = b"--x\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--x\r\nContent-Range: bytes 8-8/9\r\n\r\nb\r\n--x--\r\n"
CODED = [b'ETag: "strong"', b"Vary: Accept-Encoding"]
PASSING = {
    "a part": (b"206 Partial", [b"Content-Range: bytes 0-3/10", b'ETag: W/"x"'], b"0123"),
    "two parts": (b"206 Partial", [b"Content-Type: multipart/byteranges; boundary=x"], MULTIPART),
    "no such part": (b"416 Unsatisfiable", [b"Content-Range: bytes */10"], b""),
    "a condition that failed": (b"412 Failed", [b'ETag: "b"'], b"precondition"),
    "an empty tag": (b"200 OK", [b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", b'ETag: ""'], b"x"),
    "gzip": (b"200 OK", [b"Content-Encoding: gzip", *CODED], gzip.compress(b"hello" * 1000, mtime=0)),
    "two codings": (b"200 OK", [b"Content-Encoding: gzip, br", *CODED], b"\x00\x01\x02"),
    "an unknown coding": (b"200 OK", [b"Content-Encoding: unknown", *CODED], b"\xff\xfe"),
    "gzip that is none": (b"200 OK", [b"Content-Encoding: gzip", *CODED], b"not gzip at all"),
    "plain text": (b"200 OK", [b"Content-Type: text/html"], b"a" * 100_000),
    "no-transform": (b"200 OK", [b"Cache-Control: no-transform"], b"<a href='http://127.0.0.1/'>"),
    "every byte": (b"200 OK", [b"Content-Type: application/octet-stream"], bytes(range(256)) * 100),
    "a redirect": (b"302 Found", [b"Location: /elsewhere"], b"moved"),
    "a permanent redirect": (b"308 Perm", [b"Location: /elsewhere"], b"moved"),
    "a challenge": (b"401 No", [b"WWW-Authenticate: Basic realm=x"], b"no"),
    "a challenge of a proxy": (b"407 Proxy", [b"X-A: 1"], b"no"),
    "date and server": (b"200 OK", [b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Server: U"], b"ok"),
}  # fmt: skip


@pytest.mark.parametrize("accept", [[], [b"Accept-Encoding: gzip, br", b"Range: bytes=0-3"]], ids=["", "accepting"])
@pytest.mark.parametrize(("status", "lines", "body"), PASSING.values(), ids=PASSING)
def test_an_answer_is_passed_on_untouched_and_never_acted_upon_9110_7_7(
    client: Client, origin: Script, status: bytes, lines: list[bytes], body: bytes, accept: list[bytes]
) -> None:
    origin.answers(ok(*lines, body=body, status=status))
    answer = client.ask(get(b"/", *accept))
    assert (answer.start, answer.body) == (b"HTTP/1.1 " + status, body)
    assert [line for line in lines if tuple(line.split(b": ", 1)) not in answer.fields] == []
    added = {name.lower() for name, _ in answer.fields} - {line.split(b":")[0].lower() for line in lines}
    assert added <= {b"content-length", b"date", b"via", b"connection", b"keep-alive"}, "R12"
    assert len(origin.requests) == 1


@pytest.mark.parametrize("value", [None, b"gzip", b"gzip, deflate, br;q=0.1", b"*;q=0", b""])
def test_accept_encoding_is_what_the_client_sent_9110_12_5_3(
    client: Client, origin: Script, value: bytes | None
) -> None:
    lines = [] if value is None else [b"Accept-Encoding: " + value]
    assert forwarded(client, origin, get(b"/", *lines)).get(b"accept-encoding") == value


def test_what_the_client_left_out_stays_out_also_what_another_was_told_9110_7_7(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Set-Cookie: session=alice; Path=/"))
    client.ask(get())
    client.ask(get())
    left_out = {b"user-agent", b"accept", b"accept-language", b"cookie", b"authorization", b"referer"}
    left_out |= {b"content-type", b"cache-control", b"pragma"}
    for request in origin.requests:
        assert not {name.lower() for name, _ in request.fields} & left_out
