"""F8, F9, F10: what is no field line and no start of a request (RFC 9112 §2.2, §5)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message
from tests.http.origin import Script
from tests.http.verdicts import refused, refused_or_forwarded


@pytest.mark.parametrize(
    "line", [b"X-A : 1", b"X-A\t: 1", b"X-A  : 1", b"Content-Length : 5", b"Host : b", b"X A: 1", b"X-A \t: 1"]
)
@pytest.mark.parametrize("first", [True, False])
def test_white_space_before_the_colon_is_400_9112_5_1(client: Client, origin: Script, line: bytes, first: bool) -> None:
    lines = [line, HOST] if first else [HOST, line, b"X-B: 2"]
    refused(client, origin, message(b"GET / HTTP/1.1", *lines))


@pytest.mark.parametrize("fold", [b" folded", b"\tfolded", b" ", b"\t", b"  X: 1", b" Host: evil"])
def test_a_folded_line_is_400_or_one_space_9112_5_2(client: Client, origin: Script, fold: bytes) -> None:
    request = refused_or_forwarded(client, origin, get(b"/", b"X-A: 1", fold, b"X-B: 2"))
    assert request is None or (request.get(b"x-a") or b"").split() == [b"1", *fold.split()]


@pytest.mark.parametrize("fold", [b" X: 1", b"\tX: 1", b" ", b"\t", b" Host: evil.example"])
def test_white_space_between_request_line_and_first_field_is_refused_9112_2_2(
    client: Client, origin: Script, fold: bytes
) -> None:
    refused(client, origin, message(b"GET / HTTP/1.1", fold, HOST))


@pytest.mark.parametrize(
    "line",
    [
        b": no name", b":", b"no colon", b"X", b"X(A): 1", b"X@A: 1", b"X\"A: 1", b"X/A: 1", b"X;A: 1", b"X,A: 1",
        b"X=A: 1", b"X[A]: 1", b"{X}: 1", b"X?A: 1", b"<X>: 1", b"X\\A: 1", b"\xc3\xa9: 1", b"X\x00A: 1", b"\x00X: 1",
        b"X\x7f: 1", b"X\x01: 1", b"X\rA: 1", b"X\nA", b"X-A: 1\x00", b"X-A:\x00", b"X-A: 1\rb", b"X-A: 1\nX-B: 2",
        b"X-A: \n", b"X-A: 1\r\r", b"GET / HTTP/1.1", b"X-A\x0b: 1", b"\x0bX-A: 1", b"X-A\xa0: 1",
    ],
)  # fmt: skip
def test_a_line_that_is_no_field_is_400_9112_5(client: Client, origin: Script, line: bytes) -> None:
    refused(client, origin, get(b"/", line, b"X-Z: 9"))


def test_one_empty_line_before_a_request_is_tolerated_9112_2_2(client: Client, origin: Script) -> None:
    client.send(b"\r\n" + get())
    assert client.answer().status == 200


@pytest.mark.parametrize(
    "before",
    [b"\r\n\r\n", b"\r\n\r\n\r\n", b"\n", b"\n\n", b"\r", b" ", b"\t", b"\0", b"\r\n ", b"\r\r\n", b"\xef\xbb\xbf"],
)
def test_anything_else_before_a_request_is_400_or_tolerated_9112_2_2(
    client: Client, origin: Script, before: bytes
) -> None:
    if before in (b"\r\n\r\n", b"\r\n\r\n\r\n", b"\n", b"\n\n"):
        refused_or_forwarded(client, origin, before + get())
    else:
        refused(client, origin, before + get())


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n\r\n", b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    ],
)  # fmt: skip
def test_bare_line_feeds_are_400_or_line_ends_9112_2_2(client: Client, origin: Script, raw: bytes) -> None:
    client.send(raw + b"\r\n\r\n")
    answer = client.answer()
    assert answer.status in (200, 400)
    assert answer.status == 400 or origin.requests[0].get(b"host") == b"a"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        b"GET\r/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_a_bare_carriage_return_is_400_9112_2_2(client: Client, origin: Script, raw: bytes) -> None:
    refused(client, origin, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x80\x2e\x01\x03\x01",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"EHLO a\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0" * 64,
        b"\xff" * 64,
    ],
)
def test_another_protocol_is_refused_or_closed_9112_2_2(client: Client, origin: Script, raw: bytes) -> None:
    client.send_if_open(raw)
    client.finish()
    seen = client.rest()
    assert not seen or seen.startswith((b"HTTP/1.1 400", b"HTTP/1.1 505"))
    assert not origin.requests
