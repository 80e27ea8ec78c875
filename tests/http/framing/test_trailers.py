"""R7, F14: trailers (RFC 9110 §6.5, RFC 9112 §7.1.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, Fields, get, message, ok, ok_chunked, post_chunked
from tests.http.origin import Script
from tests.http.verdicts import forwarded

WANTED = (b"TE: trailers", b"Connection: TE")


def names(fields: Fields) -> list[bytes]:
    return [name.lower() for name, _ in fields]


@pytest.mark.parametrize("te", [b"trailers", b"trailers, deflate;q=0.5", b"gzip;q=0, TRAILERS"])
def test_trailers_reach_a_client_that_wants_them_9110_6_5_1(client: Client, origin: Script, te: bytes) -> None:
    trailers = (b"X-Checksum: abc", b"Server-Timing: a;dur=1", b"X-Checksum: def")
    origin.answers(ok_chunked(b"one", b"two", lines=(b"Trailer: X-Checksum",), trailers=trailers))
    answer = client.ask(get(b"/", b"TE: " + te, b"Connection: TE"))
    assert answer.body == b"onetwo"
    assert answer.trailers == [tuple(line.split(b": ")) for line in trailers]
    assert not answer.all(b"x-checksum")


@pytest.mark.parametrize("lines", [(), (b"TE: deflate",), (b"TE:",), (b"X: trailers",), (b"TE: xtrailers",)])
def test_trailers_are_dropped_for_a_client_that_does_not_want_them_9110_6_5_1(
    client: Client, origin: Script, lines: tuple[bytes, ...]
) -> None:
    origin.answers(ok_chunked(b"one", trailers=(b"X-Checksum: abc",)))
    answer = client.ask(get(b"/", *lines))
    assert (answer.body, answer.trailers) == (b"one", [])
    assert b"abc" not in answer.raw
    assert client.ask(get()).body == b"one"


def test_a_forbidden_trailer_of_a_response_is_dropped_9110_6_5_1(client: Client, origin: Script) -> None:
    forbidden = (
        b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Set-Cookie: a=b", b"Content-Type: a/b", b"Location: /x",
        b"Content-Encoding: gzip", b"Host: x", b"Connection: close", b"Trailer: X", b"Content-Range: bytes 0-1/2",
        b"Cache-Control: no-store", b"Keep-Alive: timeout=1", b"Upgrade: h2c", b"Proxy-Authenticate: Basic",
        b"WWW-Authenticate: Basic", b"Authorization: x", b"X-Gone: named in Connection",
    )  # fmt: skip
    trailers = (b"X-Before: 1", *forbidden, b"X-After: 2")
    origin.answers(ok_chunked(b"one", lines=(b"Connection: X-Gone",), trailers=trailers))
    answer = client.ask(get(b"/", *WANTED))
    assert names(answer.trailers) == [b"x-before", b"x-after"]
    assert client.ask(get()).body == b"one"


REQUEST_TRAILERS = [
    b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Host: evil.example", b"Authorization: Bearer evil",
    b"X-User: evil", b"x_user: evil", b"X-Forwarded-For: 6.6.6.6", b"X_Forwarded_For: 6.6.6.6",
    b"Forwarded: for=6.6.6.6", b"Cookie: a=evil", b"Content-Type: a/b", b"Connection: X-Forwarded-For",
    b"Expect: 100-continue", b"TE: gzip", b"Max-Forwards: 0", b"Via: 1.1 x", b"Trailer: Host",
    b"Proxy-Authorization: Basic x", b"Upgrade: h2c", b"Strangler-Override: extracted", b"Strangler-Debug: x",
    b"Range: bytes=0-1", b"If-Match: x", b"X-Real-IP: 6.6.6.6", b"X-Auth-Role: evil", b"X-Member: evil",
    b"Cache-Control: no-store", b"Content-Encoding: gzip", b"X-Strangler-User: evil",
]  # fmt: skip


def test_a_forbidden_trailer_of_a_request_is_dropped_9110_6_5_1(client: Client, origin: Script) -> None:
    for line in REQUEST_TRAILERS:
        assert client.ask(post_chunked(b"hello", trailers=(line,))).status == 200
        request = origin.requests[-1]
        assert (request.body, request.trailers) == (b"hello", []), line
        name, value = line.split(b": ")
        assert value not in request.all(name) or name == b"Transfer-Encoding"


def test_a_trailer_of_a_request_becomes_no_field_of_its_head_or_the_next_9110_6_5(
    client: Client, origin: Script
) -> None:
    request = forwarded(client, origin, post_chunked(b"hello", lines=(b"Trailer: X-T",), trailers=(b"X-T: 1",)))
    assert not request.all(b"x-t")
    assert request.trailers in ([], [(b"X-T", b"1")])
    assert client.ask(get(b"/next")).status == 200
    assert not origin.requests[1].all(b"x-t")


def test_an_endless_trailer_section_of_a_response_is_bounded_9110_6_5(client: Client, origin: Script) -> None:
    trailers = tuple(b"X-%d: %s" % (n, b"v" * 300) for n in range(5000))
    origin.answers(ok_chunked(b"one", trailers=trailers), close=True)
    client.send(get())
    assert client.head().status in (200, 502)
    assert not client.rest().endswith(b"v\r\n\r\n")


def test_a_client_that_wants_trailers_gets_bodies_as_they_are_framed_9110_8_6(client: Client, origin: Script) -> None:
    answer = client.ask(get(b"/", *WANTED))
    assert (answer.get(b"content-length"), answer.body) == (b"2", b"ok")
    origin.answers(ok_chunked(trailers=(b"Grpc-Status: 0",)))
    answer = client.ask(get(b"/", *WANTED))
    assert (answer.body, answer.trailers) == (b"", [(b"Grpc-Status", b"0")])
    origin.answers(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Trailer: X-T"))
    assert client.ask(message(b"HEAD / HTTP/1.1", HOST, *WANTED), b"HEAD").status == 200
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"
