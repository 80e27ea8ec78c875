"""F1 to F6, F11: what looks like a framing field, and what a body hides (RFC 9112 §6, §11.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunked, get, message, post
from tests.http.origin import Script
from tests.http.verdicts import SMUGGLED


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
