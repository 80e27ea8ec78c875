"""F1 to F6, F11, F15: a request whose length can be read in two ways (RFC 9112 §6, §11.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message
from tests.http.origin import Script
from tests.http.verdicts import SMUGGLED, refused, refused_or_forwarded

CHUNKED_BODY = b"5\r\nhello\r\n0\r\n\r\n"


def with_lines(*lines: bytes, body: bytes = b"hello", version: bytes = b"1.1", method: bytes = b"POST") -> bytes:
    return message(method + b" / HTTP/" + version, HOST, *lines, body=body)


BOTH = [
    [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    [b"Content-Length: 0", b"Transfer-Encoding: chunked"],
    [b"content-length: 5", b"X: 1", b"TRANSFER-ENCODING: CHUNKED"],
    [b"Content-Length: 5", b"Transfer-Encoding: gzip, chunked"],
    [b"Content-Length: 5", b"Transfer-Encoding: identity"],
    [b"Content-Length: 5", b"Transfer-Encoding: x"],
    [b"Content-Length: 5", b"Transfer-Encoding:"],
    [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Connection: Content-Length"],
    [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Connection: Transfer-Encoding"],
]


@pytest.mark.parametrize("lines", BOTH)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"HEAD", b"DELETE"])
def test_both_content_length_and_transfer_encoding_are_400_9112_6_1(
    client: Client, origin: Script, lines: list[bytes], method: bytes
) -> None:
    if method == b"HEAD":
        client.send(with_lines(*lines, body=CHUNKED_BODY, method=method) + SMUGGLED)
        assert client.head().status in (400, 501)
        client.rest()
        assert not origin.requests
        return
    refused(client, origin, with_lines(*lines, body=CHUNKED_BODY, method=method), 400, 501)


LENGTHS = [
    b"+5", b"-5", b"5a", b"0x5", b"", b" ", b"5 5", b"5;", b"5,", b",5", b"5.0", b"5e0", b"five", b"\xb2", b"0b1",
    b"5_0", b"1" * 30, b"18446744073709551621", b"9223372036854775808", b"4294967301,5", b"5, 6", b"5,5,6", b"-0",
    b"NaN", b"'5'", b"\"5\"", b"5\x0b", b"\x0b5", b"5\x00", b"\xef\xbc\x95", b"(5)", b"5#", b"#5",
]  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS)
def test_an_invalid_content_length_is_400_9112_6_3(client: Client, origin: Script, length: bytes) -> None:
    refused(client, origin, with_lines(b"Content-Length: " + length), 400, 413)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 6", b"Content-Length: 5"],
        [b"Content-Length: 5", b"content-length: 0"],
        [b"Content-Length: 0", b"Content-Length: 5"],
        [b"Content-Length: 5", b"X: 1", b"Content-Length:"],
        [b"Content-Length: 5", b"Content-Length: 5, 6"],
        [b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 4"],
    ],
)
def test_different_content_lengths_are_400_9112_6_3(client: Client, origin: Script, lines: list[bytes]) -> None:
    refused(client, origin, with_lines(*lines), 400)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: 5,5"],
        [b"Content-Length: 5", b"Content-Length: 05"],
    ],
)
def test_equal_content_lengths_are_400_or_become_one_9110_8_6(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    request = refused_or_forwarded(client, origin, with_lines(*lines))
    assert request is None or (request.body == b"hello" and len(request.all(b"content-length")) == 1)


CODINGS = [
    b"identity", b"chunked, identity", b"identity, chunked", b"xchunked", b"chunkedx", b"chunked, chunked", b"x",
    b"gzip", b"deflate", b"chunked, gzip", b"\x0bchunked", b"chunked\x0b", b"\x0cchunked", b"chunked\x00", b"", b" ",
    b"\"chunked\"", b"chunked;q=0.5", b"chunked ; x", b"chunk", b"chunked, ", b"'chunked'", b"chunked\xa0",
    b"\xe2\x80\x8bchunked", b"c hunked", b"chunked chunked", b"chunked\tx",
]  # fmt: skip


@pytest.mark.parametrize("coding", CODINGS)
def test_a_transfer_encoding_that_is_not_chunked_is_400_or_501_9112_6_3(
    client: Client, origin: Script, coding: bytes
) -> None:
    raw = with_lines(b"Transfer-Encoding: " + coding, body=CHUNKED_BODY)
    if coding in (b"chunked, ", b"identity, chunked"):
        request = refused_or_forwarded(client, origin, raw, 400, 501)
        assert request is None or request.body == b"hello"
    else:
        refused(client, origin, raw, 400, 501)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"],
        [b"Transfer-Encoding: x", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"X: 1", b"transfer-encoding:  "],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding\t: chunked"],
        [b"Transfer-Encoding", b": chunked"],
        [b" Transfer-Encoding: chunked"],
        [b"X: 1", b" Transfer-Encoding: chunked"],
        [b"Transfer-Encoding:", b" chunked"],
        [b"Transfer-Encoding: chunked", b" , identity"],
        [b"Transfer\x00-Encoding: chunked"],
        [b"X: 1\nTransfer-Encoding: chunked"],
        [b"X: 1\rTransfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked\r"],
    ],
)
def test_a_disguised_transfer_encoding_is_400_or_501_9112_6_3(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    if lines == [b"Transfer-Encoding: chunked", b"X: 1", b"transfer-encoding:  "]:
        request = refused_or_forwarded(client, origin, with_lines(*lines, body=CHUNKED_BODY), 400, 501)
        assert request is None or request.body == b"hello"
    else:
        refused(client, origin, with_lines(*lines, body=CHUNKED_BODY), 400, 501)


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer_Encoding: chunked",
        b"X-Transfer-Encoding: chunked",
        b"Transfer-Encodings: chunked",
        b"Content_Length: 99",
        b"Content-Lengths: 99",
    ],
)
def test_what_only_resembles_a_framing_field_frames_nothing_9112_6(client: Client, origin: Script, line: bytes) -> None:
    client.send(with_lines(b"Content-Length: 5", line) + get(b"/second"))
    first = client.answer()
    if first.status == 400:
        assert not origin.requests
        return
    assert [first.status, client.answer().status] == [200, 200]
    assert [(request.target, request.body) for request in origin.requests] == [(b"/", b"hello"), (b"/second", b"")]


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"deflate, chunked", b"compress, chunked", b"br,chunked", b"x-gzip , chunked"]
)
def test_a_coding_under_chunked_is_501_and_never_passed_as_plain_9112_6_1(
    client: Client, origin: Script, coding: bytes
) -> None:
    answer = refused(client, origin, with_lines(b"Transfer-Encoding: " + coding, body=CHUNKED_BODY), 501, 400)
    assert answer.status == 501


@pytest.mark.parametrize("more", [[], [b"Content-Length: 5"], [b"Connection: keep-alive"]])
def test_transfer_encoding_in_http_1_0_is_400_or_closed_after_9112_6_1(
    client: Client, origin: Script, more: list[bytes]
) -> None:
    client.send(with_lines(b"Transfer-Encoding: chunked", *more, body=CHUNKED_BODY, version=b"1.0") + SMUGGLED)
    answer = client.answer(version=b"1.0")
    assert answer.status in (200, 400)
    assert client.ends()
    assert [request.body for request in origin.requests] == ([b"hello"] if answer.status == 200 else [])


def test_a_body_shorter_than_its_length_is_never_completed_9112_8(client: Client, origin: Script) -> None:
    client.send(with_lines(b"Content-Length: 10"))
    assert origin.saw(1)
    client.finish()
    assert b"HTTP/1.1 200" not in client.rest()
    origin.wait_for(lambda: bool(origin.cut))
    assert origin.only.body is None


def test_a_body_longer_than_its_length_is_the_next_request_9112_6_3(client: Client, origin: Script) -> None:
    client.send(with_lines(b"Content-Length: 5", body=b"hello" + SMUGGLED))
    assert [client.answer().status for _ in range(2)] == [200, 200]
    assert [request.target for request in origin.requests] == [b"/", b"/smuggled"]


def test_a_get_whose_length_hides_a_request_is_one_request_9112_6_3(client: Client, origin: Script) -> None:
    client.send(with_lines(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED, method=b"GET"))
    assert client.answer().status == 200
    assert origin.only.body == SMUGGLED


def test_a_chunk_that_hides_a_request_is_one_request_9112_7_1(client: Client, origin: Script) -> None:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    client.send(with_lines(b"Transfer-Encoding: chunked", body=body))
    assert client.answer().status == 200
    assert origin.only.body == SMUGGLED


@pytest.mark.parametrize(
    "bad",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"X\r\n\r\n",
        b"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    ],
)  # fmt: skip
def test_after_a_refusal_nothing_more_is_read_F15(client: Client, origin: Script, bad: bytes) -> None:
    client.send_if_open(bad + SMUGGLED * 20)
    answer = client.answer()
    assert answer.status in (400, 405, 501, 505)
    client.send_if_open(SMUGGLED)
    assert client.ends()
    assert not origin.requests


def test_after_a_refusal_the_close_says_so_and_is_clean_9112_9_6(client: Client, origin: Script) -> None:
    client.send_if_open(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 500_000)
    answer = client.answer()
    assert b"close" in answer.options()
    assert client.ends()
