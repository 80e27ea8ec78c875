"""R1 to R4: how the body of a response is delimited (RFC 9112 §6.3, RFC 9110 §8.6, §9.3.2, §15)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, Truncated, chunk, get, message, ok, ok_chunked
from tests.http.origin import Call, Script

HEAD = message(b"HEAD / HTTP/1.1", HOST)


@pytest.mark.parametrize("length", [b"0", b"5", b"123456789"])
@pytest.mark.parametrize("status", [b"200 OK", b"404 No", b"500 Oops", b"206 Part", b"302 Found"])
def test_head_has_no_body_and_keeps_content_length_9110_9_3_2(
    client: Client, origin: Script, length: bytes, status: bytes
) -> None:
    origin.answers(message(b"HTTP/1.1 " + status, b"Content-Length: " + length, b"ETag: x"))
    answer = client.ask(HEAD, b"HEAD")
    assert answer.status == int(status[:3])
    assert (answer.get(b"content-length"), answer.get(b"etag")) == (length, b"x")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_head_of_a_chunked_resource_has_no_body_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
    assert client.ask(HEAD, b"HEAD").status == 200
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_head_without_framing_has_no_body_and_needs_no_close_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"X: 1"))
    answer = client.ask(HEAD, b"HEAD")
    assert answer.get(b"content-length") is None
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_head_is_asked_for_with_head_9110_9_3_2(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 5"))
    client.ask(HEAD, b"HEAD")
    assert origin.only.method == b"HEAD"


def test_head_that_fails_has_no_body_either_9110_9_3_2(client: Client, origin: Script) -> None:
    answer = client.ask(message(b"HEAD /refusing/a HTTP/1.1", HOST), b"HEAD")
    assert (answer.status, answer.error) == (502, b"connection_refused")
    assert client.ask(get()).body == b"ok"


def test_heads_in_a_row_are_framed_right_9110_9_3_2(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 5"))
    client.send(HEAD * 5)
    assert [client.answer(b"HEAD").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE"])
def test_204_and_304_have_no_body_9112_6_3(client: Client, origin: Script, status: bytes, method: bytes) -> None:
    origin.answers(message(b"HTTP/1.1 " + status, b"X-A: 1"))
    answer = client.ask(message(method + b" / HTTP/1.1", HOST), method)
    assert (answer.status, answer.get(b"x-a")) == (int(status[:3]), b"1")
    assert not answer.all(b"transfer-encoding")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


@pytest.mark.parametrize("line", [b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Content-Length: 5"])
def test_204_never_shows_a_framing_field_9110_8_6(client: Client, origin: Script, line: bytes) -> None:
    origin.answers(message(b"HTTP/1.1 204 No Content", line))
    answer = client.ask(get())
    assert answer.status in (204, 502)
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


@pytest.mark.parametrize("length", [None, b"0", b"1234"])
def test_304_keeps_its_fields_9110_15_4_5(client: Client, origin: Script, length: bytes | None) -> None:
    lines = [b'ETag: "a"', b"Vary: Accept", b"Cache-Control: max-age=1", b"Expires: 0", b"Content-Location: /c"]
    more = [b"Content-Length: " + length] if length else []
    origin.answers(message(b"HTTP/1.1 304 Not Modified", *lines, *more))
    answer = client.ask(get(b"/", b'If-None-Match: "a"'))
    assert [line for line in lines if tuple(line.split(b": ")) not in answer.fields] == []
    assert answer.get(b"content-length") == length
    assert client.ask(get()).status == 304


def test_205_is_framed_9110_15_3_6(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 205 Reset", b"Content-Length: 0"))
    assert client.ask(get()).status == 205
    assert client.ask(get()).status == 205


@pytest.mark.parametrize("body", [b"", b"x", b"the body", b"y" * 300_000], ids=["none", "a byte", "short", "long"])
@pytest.mark.parametrize("lines", [[], [b"Connection: close"]], ids=["", "close"])
def test_a_body_up_to_the_close_becomes_chunked_9112_6_3(
    client: Client, origin: Script, body: bytes, lines: list[bytes]
) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", *lines, body=body), close=True)
    answer = client.ask(get())
    assert answer.body == body
    assert b"close" not in answer.options()
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_a_body_up_to_the_close_ends_by_close_for_http_1_0_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", body=b"the body"), close=True)
    client.send(message(b"GET / HTTP/1.0", HOST, b"Connection: keep-alive"))
    answer = client.answer(version=b"1.0")
    assert answer.body == b"the body"


@pytest.mark.parametrize("size", [0, 1, 1024, 65_536, 1_000_003])
def test_a_counted_body_arrives_whole_and_counted_9112_6_3(client: Client, origin: Script, size: int) -> None:
    origin.answers(ok(body=b"z" * size))
    answer = client.ask(get())
    assert (len(answer.body), answer.get(b"content-length")) == (size, b"%d" % size)


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"005;x=y\r\nhello\r\n0;z\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
        (b"8000\r\n" + b"q" * 32768 + b"\r\n0\r\n\r\n", b"q" * 32768),
    ],
)
def test_a_chunked_body_arrives_whole_9112_7_1(client: Client, origin: Script, encoded: bytes, body: bytes) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=encoded))
    assert client.ask(get()).body == body
    assert client.ask(get()).body == body


def test_a_response_byte_by_byte_arrives_whole_9112_2_2(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        for byte in ok_chunked(b"hel", b"lo", lines=(b"X-A: 1",)):
            call.send(bytes([byte]))

    origin.answers(handle)
    assert client.ask(get()).body == b"hello"


def test_chunked_in_any_case_is_chunked_9112_7(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"TRANSFER-ENCODING: Chunked", body=b"2\r\nok\r\n0\r\n\r\n"))
    assert client.ask(get()).body == b"ok"


def test_both_framings_in_a_response_are_read_as_chunked_or_502_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(
        message(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n")
    )
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"
    client.ask(get())
    assert origin.requests[0].connection != origin.requests[1].connection


BAD_LENGTHS = [
    b"+2",
    b"-2",
    b"abc",
    b"2a",
    b"0x2",
    b"2.0",
    b"1e1",
    b"2 2",
    b"2;",
    b"",
    b"9" * 40,
    b"18446744073709551618",
    b"2, 3",
    b",2",
    b"2,",
    b"2,,2",
    b",",
    b"\xb2",
]


@pytest.mark.parametrize("length", BAD_LENGTHS)
def test_an_invalid_content_length_is_502_and_the_connection_ends_9112_6_3(
    client: Client, origin: Script, length: bytes
) -> None:
    left: list[bool] = []

    def handle(call: Call) -> None:
        call.reply(message(b"HTTP/1.1 200 OK", b"Content-Length: " + length, body=b"ok"))
        left.append(call.gone())
        call.close()

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, answer.error) == (502, b"http_protocol_error")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"
    origin.wait_for(lambda: left == [True])


def test_two_different_content_lengths_are_502_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Content-Length: 3", body=b"ok"))
    assert client.ask(get()).error == b"http_protocol_error"


@pytest.mark.parametrize("lines", [[b"Content-Length: 2", b"Content-Length: 2"], [b"Content-Length: 2, 2"]])
def test_equal_content_lengths_become_one_or_502_9110_8_6(client: Client, origin: Script, lines: list[bytes]) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", *lines, body=b"ok"))
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.get(b"content-length") == b"2"


@pytest.mark.parametrize(
    "coding",
    [
        b"gzip, chunked", b"gzip", b"identity", b"chunked, chunked", b"chunked, gzip", b"xchunked", b"chunked;q=1",
        b"\x0bchunked", b"", b"chunked, identity",
    ],
)  # fmt: skip
def test_a_transfer_coding_that_is_not_chunked_alone_is_502_9112_6_1(
    client: Client, origin: Script, coding: bytes
) -> None:
    origin.answers(
        message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: " + coding, body=b"2\r\nok\r\n0\r\n\r\n"), close=True
    )
    answer = client.ask(get())
    assert answer.status == 502
    assert answer.error


def test_a_transfer_coding_of_http_1_0_is_502_or_never_reused_9112_6_1(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", close=True)
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"


BAD_CHUNKS = [
    b"x\r\nok\r\n0\r\n\r\n", b"+2\r\nok\r\n0\r\n\r\n", b"0x2\r\nok\r\n0\r\n\r\n", b"-2\r\nok\r\n0\r\n\r\n",
    b"\r\nok\r\n0\r\n\r\n", b"2\nok\r\n0\r\n\r\n", b"2\r\nokXX0\r\n\r\n", b"2\r\nok\n0\r\n\r\n",
    b"2 2\r\nok\r\n0\r\n\r\n", b"f" * 17 + b"\r\nok", b";a=b\r\n\r\n", b"2;a\nb\r\nok\r\n0\r\n\r\n",
    b"2\r\nok\r\n0\r\n X: 1\r\n\r\n", b"2\r\nok\r\n0\r\nbad line\r\n\r\n", b" 2\r\nok\r\n0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("encoded", BAD_CHUNKS)
def test_a_malformed_chunk_of_the_upstream_never_ends_a_message_9112_8(
    client: Client, origin: Script, encoded: bytes
) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=encoded), close=True)
    client.send(get())
    try:
        answer = client.answer()
    except Truncated:
        return
    assert answer.status == 502
    assert answer.error


def test_chunk_extensions_of_the_upstream_are_bounded_9112_7_1_1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.body()
        call.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
        for _ in range(1000):
            call.send(b"1;" + b"e" * 1000 + b"\r\nx\r\n")
        call.send(chunk(b"") + b"\r\n")

    origin.answers(handle)
    client.send(get())
    with pytest.raises(Truncated):
        client.answer()
