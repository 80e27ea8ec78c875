"""F1 – F6, F8 – F11, F15, H8, H9, T3 – T5: what is no request, can be read in two ways or hides one (RFC 9112).

Each rule stands here once for each consequence; its variants are in the unit tests of the parser."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunked, get, message, post
from tests.http.origin import Script
from tests.http.verdicts import SMUGGLED, refused

CHUNKED, LENGTH = b"Transfer-Encoding: chunked", b"Content-Length: 5"


def framed(*lines: bytes, method: bytes = b"POST", version: bytes = b"1.1") -> bytes:
    return message(method + b" / HTTP/" + version, HOST, *lines, body=b"5\r\nhello\r\n0\r\n\r\n")


def line(start: bytes, *lines: bytes) -> bytes:
    return message(start, *(lines or (HOST,)))


REFUSED = {
    "white space before the first colon, 9112 5.1": (400, message(b"GET / HTTP/1.1", b"X-A : 1", HOST)),
    "white space before a later colon, 9112 5.1": (400, get(b"/", b"X-A\t: 1", b"X-B: 2")),
    "a space between Host and its colon, 9112 5.1": (400, line(b"GET / HTTP/1.1", b"Host : shop.example")),
    "a folded line, 9112 5.2": (400, get(b"/", b"X-A: 1", b" folded", b"X-B: 2")),
    "a Host folded into another field, 9112 5.2": (400, get(b"/", b"X-A: 1", b" Host: evil")),
    "white space before the first field, 9112 2.2": (400, message(b"GET / HTTP/1.1", b" Host: evil.example", HOST)),
    "a field without a colon, 9112 5": (400, get(b"/", b"GET / HTTP/1.1", b"X-Z: 9")),
    "a field without a name, 9112 5": (400, get(b"/", b": no name")),
    "a name that is no token, 9110 5.6.2": (400, get(b"/", b"X(A): 1")),
    "NUL in a value, 9110 5.5": (400, get(b"/", b"X-A: a\0b", b"X-B: 1")),
    "CR in a value, 9110 5.5": (400, get(b"/", b"X-A: a\rb", b"X-B: 1")),
    "LF in a value, 9110 5.5": (400, get(b"/", b"X-A: a\nX-B: 1")),
    "another control in a value, 9110 5.5": (400, get(b"/", b"X-A: a\x01b")),
    "two empty lines before a request, 9112 2.2": (400, b"\r\n\r\n" + get()),
    "a line feed before a request, 9112 2.2": (400, b"\n" + get()),
    "a space before a request, 9112 2.2": (400, b" " + get()),
    "bare line feeds, 9112 2.2": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "a head that ends in a bare line feed, 9112 2.2": (400, b"GET / HTTP/1.1\r\nHost: a\r\n\n\r\n\r\n"),
    "bare carriage returns, 9112 2.2": (400, b"GET / HTTP/1.1\rHost: a\r\r"),
    "a carriage return too many, 9112 2.2": (400, b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    "a method that is no token, 9110 9.1": (400, line(b"GE(T / HTTP/1.1")),
    "a malformed request line, 9112 3": (400, line(b"GET / HTTP/1.10")),
    "white space twice in a request line, 9112 3": (400, line(b"GET  / HTTP/1.1")),
    "white space behind a request line, 9112 3": (400, line(b"GET / HTTP/1.1 ")),
    "a major version that is not spoken, 9110 15.6.6": (505, line(b"GET / HTTP/2.0")),
    "no Host, 9112 3.2": (400, line(b"GET / HTTP/1.1", b"X-A: 1")),
    "no field at all, 9112 3.2": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two equal Hosts, 9112 3.2": (400, line(b"GET / HTTP/1.1", HOST, b"X-Between: 1", HOST)),
    "a second Host that is empty, 9112 3.2": (400, line(b"GET / HTTP/1.1", b"Host:", HOST)),
    "two Hosts of HTTP/1.0, 9112 3.2": (400, line(b"GET / HTTP/1.0", b"Host: a", b"Host: b")),
    "two Hosts beside an absolute form, 9112 3.2": (400, line(b"GET http://a/ HTTP/1.1", b"Host: a", b"Host: a")),
    "no Host beside an absolute form, 9112 3.2": (400, b"GET http://shop.example/ HTTP/1.1\r\n\r\n"),
    "an invalid Host, 9112 3.2": (400, line(b"GET / HTTP/1.1", b"Host: user@shop.example")),
    "bytes beyond ASCII in a target, 9112 3": (400, get(b"/caf\xc3\xa9")),
    "a control in a target, 9112 3.2": (400, get(b"/a\x01b")),
    "a target of no form, 9112 3.2": (400, get(b"shop.example:80")),
    "a fragment in a target, 9112 3.2.1": (400, get(b"/a?b#c")),
    "an invalid absolute form, 9112 3.2.2": (400, get(b"http://user@shop.example/")),
    "another scheme, 9110 7.4": (400, get(b"ftp://shop.example/a")),
    "an asterisk for another method, 9112 3.2.4": (400, line(b"GET * HTTP/1.1")),
    "CONNECT to an authority, 9110 9.3.6": (501, line(b"CONNECT shop.example:443 HTTP/1.1")),
    "CONNECT to a path, 9110 9.3.6": (501, line(b"CONNECT / HTTP/1.1")),
    "both framings, 9112 6.1": (400, framed(LENGTH, CHUNKED)),
    "both framings the other way round, 9112 6.1": (400, framed(CHUNKED, LENGTH)),
    "both framings of a GET, 9112 6.1": (400, framed(LENGTH, CHUNKED, method=b"GET")),
    "both framings, one named in Connection, 9112 6.1": (400, framed(LENGTH, CHUNKED, b"Connection: Content-Length")),
    "an invalid length, 9112 6.3": (400, framed(b"Content-Length: +5")),
    "an enormous length, 9112 6.3": (400, framed(b"Content-Length: 18446744073709551621")),
    "two different lengths, 9112 6.3": (400, framed(LENGTH, b"Content-Length: 6")),
    "two equal lengths, 9110 8.6": (400, framed(LENGTH, LENGTH)),
    "a length twice in one line, 9110 8.6": (400, framed(b"Content-Length: 5, 5")),
    "a transfer coding that is not chunked, 9112 6.3": (400, framed(b"Transfer-Encoding: xchunked")),
    "chunked and then another coding, 9112 6.3": (400, framed(CHUNKED, b"Transfer-Encoding: identity")),
    "chunked twice, 9112 6.3": (400, framed(CHUNKED, CHUNKED)),
    "chunked on a folded line, 9112 6.3": (400, framed(b"Transfer-Encoding:", b" chunked")),
    "chunked behind a line feed, 9112 6.3": (400, framed(b"X: 1\nTransfer-Encoding: chunked")),
    "a coding under chunked, 9112 6.1": (501, framed(b"Transfer-Encoding: gzip, chunked")),
    "chunked in HTTP/1.0, 9112 6.1": (400, framed(CHUNKED, version=b"1.0")),
    "the preface of HTTP/2, 9113 3.4": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "an unknown expectation, 9110 10.1.1": (417, framed(LENGTH, b"Expect: 200-ok")),
}  # fmt: skip


@pytest.mark.parametrize(("status", "raw"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_and_closed(client: Client, origin: Script, status: int, raw: bytes) -> None:
    answer = refused(client, origin, raw, status)
    assert status != 405 or answer.all(b"allow")


def test_a_head_request_with_both_framings_is_400_too_9112_6_1(client: Client, origin: Script) -> None:
    client.send(framed(LENGTH, CHUNKED, method=b"HEAD") + SMUGGLED)
    assert client.head().status == 400
    client.rest()
    assert not origin.requests


@pytest.mark.parametrize(
    "bad", [b"GET / HTTP/1.1\r\n\r\n", framed(b"Content-Length: x"), line(b"CONNECT a:1 HTTP/1.1")]
)
def test_after_a_refusal_nothing_more_is_read_and_the_close_is_clean_F15(
    client: Client, origin: Script, bad: bytes
) -> None:
    client.send_if_open(bad + SMUGGLED * 20 + b"x" * 500_000)
    assert b"close" in client.answer().options()
    client.send_if_open(SMUGGLED)
    assert client.ends()
    assert not origin.requests


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"EHLO a\r\n\r\n", b"\0" * 64, b"GET /\r\n"]
)
def test_another_protocol_or_http_0_9_is_refused_or_closed_9112_2_2(client: Client, origin: Script, raw: bytes) -> None:
    client.send_if_open(raw)
    client.finish()
    seen = client.rest()
    assert not seen or seen.startswith((b"HTTP/1.1 400", b"HTTP/1.1 505"))
    assert not origin.requests


@pytest.mark.parametrize(
    "line", [b"Transfer_Encoding: chunked", b"X-Transfer-Encoding: chunked", b"Content-Lengths: 99"]
)
def test_what_only_resembles_a_framing_field_frames_nothing_9112_6(client: Client, origin: Script, line: bytes) -> None:
    client.send(post(b"/", line) + get(b"/second"))
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert [(request.target, request.body) for request in origin.requests] == [(b"/", b"hello"), (b"/second", b"")]


@pytest.mark.parametrize("name", [b"Content-Length, close", b"Transfer-Encoding"])
def test_naming_its_framing_in_connection_does_not_unframe_a_request_9112_6(
    client: Client, origin: Script, name: bytes
) -> None:
    framing = b"Transfer-Encoding: chunked" if name == b"Transfer-Encoding" else b"Content-Length: 15"
    client.send(message(b"POST / HTTP/1.1", HOST, framing, b"Connection: " + name, body=chunked(b"hello")))
    if client.answer().status == 200:
        assert origin.only.body in (b"hello", chunked(b"hello"))
    else:
        assert client.ends()


def test_a_body_shorter_than_its_length_is_never_completed_9112_8(client: Client, origin: Script) -> None:
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 10", body=b"hello"))
    assert origin.saw(1)
    client.finish()
    assert b"HTTP/1.1 200" not in client.rest()
    origin.wait_for(lambda: bool(origin.cut))
    assert origin.only.body is None


def test_a_body_longer_than_its_length_is_the_next_request_9112_6_3(client: Client, origin: Script) -> None:
    client.send(post() + SMUGGLED)
    assert [client.answer().status for _ in range(2)] == [200, 200]
    assert [request.target for request in origin.requests] == [b"/", b"/smuggled"]


@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: %d" % len(SMUGGLED), SMUGGLED), (b"Transfer-Encoding: chunked", chunked(SMUGGLED))],
    ids=["a length", "a chunk"],
)
def test_what_hides_a_request_is_one_request_9112_6_3(
    client: Client, origin: Script, framing: bytes, body: bytes
) -> None:
    client.send(message(b"GET / HTTP/1.1", HOST, framing, body=body))
    assert client.answer().status == 200
    assert origin.only.body == SMUGGLED
