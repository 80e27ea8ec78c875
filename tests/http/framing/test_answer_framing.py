"""R1 to R4: how the body of a response is delimited (RFC 9112 §6.3, RFC 9110 §8.6, §9.3.2, §15)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, Truncated, chunk, chunked, get, message, ok, ok_chunked
from tests.http.origin import Call, Script

HEAD = message(b"HEAD / HTTP/1.1", HOST)
CODED = b"Transfer-Encoding: chunked"


def with_lines(*lines: bytes, status: bytes = b"200 OK", body: bytes = b"") -> bytes:
    return message(b"HTTP/1.1 " + status, *lines, body=body)


BODILESS = {
    "of a HEAD that is counted, 9110 9.3.2": (b"HEAD", with_lines(b"Content-Length: 123456789", b"ETag: x"),
        b"123456789"),
    "of a HEAD of nothing, 9110 9.3.2": (b"HEAD", with_lines(b"Content-Length: 0", status=b"404 No"), b"0"),
    "of a HEAD that is chunked, 9112 6.3": (b"HEAD", with_lines(CODED), None),
    "of a HEAD that is not framed, 9112 6.3": (b"HEAD", with_lines(b"X: 1"), None),
    "a 204, 9112 6.3": (b"GET", with_lines(b"X-A: 1", status=b"204 No Content"), None),
    "a 204 of a POST, 9112 6.3": (b"POST", with_lines(status=b"204 No Content"), None),
    "a 204 that is counted, 9110 8.6": (b"GET", with_lines(b"Content-Length: 5", status=b"204 No"), None),
    "a 204 that is chunked, 9110 8.6": (b"GET", with_lines(CODED, status=b"204 No"), None),
    "a 304, 9112 6.3": (b"GET", with_lines(b'ETag: "a"', status=b"304 Not Modified"), None),
    "a 304 of a HEAD, 9112 6.3": (b"HEAD", with_lines(status=b"304 Not Modified"), None),
    "a 304 that is counted, 9110 15.4.5": (b"GET", with_lines(b"Content-Length: 1234", status=b"304 Not"), b"1234"),
    "a 205, 9110 15.3.6": (b"GET", with_lines(b"Content-Length: 0", status=b"205 Reset"), b"0"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "raw", "length"), BODILESS.values(), ids=BODILESS)
def test_an_answer_without_a_body_leaves_the_connection_in_order(
    client: Client, origin: Script, method: bytes, raw: bytes, length: bytes | None
) -> None:
    origin.answers(raw)
    client.send(message(method + b" / HTTP/1.1", HOST) * 3)
    for _ in range(3):
        answer = client.answer(method)
        if answer.error and b"204" in raw:  # a 204 with a framing field may be refused
            return
        assert (b"%d" % answer.status, answer.body, answer.get(b"content-length")) == (raw[9:12], b"", length)
        assert not answer.all(b"transfer-encoding")
    assert origin.requests[0].method == method
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_304_keeps_its_fields_9110_15_4_5(client: Client, origin: Script) -> None:
    lines = [b'ETag: "a"', b"Vary: Accept", b"Cache-Control: max-age=1", b"Expires: 0", b"Content-Location: /c"]
    origin.answers(with_lines(*lines, status=b"304 Not Modified"))
    answer = client.ask(get(b"/", b'If-None-Match: "a"'))
    assert [line for line in lines if tuple(line.split(b": ")) not in answer.fields] == []


BODIES = {
    "up to the close": (with_lines(body=b"the body"), b"the body"),
    "up to an announced close": (with_lines(b"Connection: close", body=b"y" * 300_000), b"y" * 300_000),
    "up to a close at once": (with_lines(), b""),
    "counted": (ok(body=b"z" * 1_000_003), b"z" * 1_000_003),
    "counted, of nothing": (ok(body=b""), b""),
    "counted twice": (with_lines(b"Content-Length: 2, 2", body=b"ok"), b"ok"),
    "chunked, of nothing": (ok_chunked(), b""),
    "chunked, with extensions": (with_lines(CODED, body=b"005;x=y\r\nhello\r\n0;z\r\n\r\n"), b"hello"),
    "one large chunk": (ok_chunked(b"q" * 32768), b"q" * 32768),
    "chunked in another case": (with_lines(b"TRANSFER-ENCODING: Chunked", body=chunked(b"ok")), b"ok"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "body"), BODIES.values(), ids=BODIES)
def test_a_body_arrives_whole_and_the_connection_goes_on_9112_6_3(
    client: Client, origin: Script, raw: bytes, body: bytes
) -> None:
    framed = b"chunked" in raw.lower() or b"Content-Length" in raw
    origin.answers(raw, close=not framed)
    for _ in range(2):
        answer = client.ask(get())
        assert answer.body == body
        assert answer.get(b"content-length") == (b"%d" % len(body) if b"Content-Length" in raw else None)
        assert b"close" not in answer.options()


def test_a_response_byte_by_byte_arrives_whole_9112_2_2(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        for byte in ok_chunked(b"hel", b"lo", lines=(b"X-A: 1",)):
            call.send(bytes([byte]))

    origin.answers(handle)
    assert client.ask(get()).body == b"hello"


@pytest.mark.parametrize(
    "raw",
    [
        with_lines(b"Content-Length: 3", CODED, body=chunked(b"ok")),
        b"HTTP/1.0 200 OK\r\n" + CODED + b"\r\n\r\n" + chunked(b"ok"),
        with_lines(b"Content-Length: 2", b"Content-Length: 2", body=b"ok"),
    ],
    ids=["both framings", "chunked of HTTP/1.0", "equal lengths"],
)
def test_a_doubtful_framing_is_read_as_the_rfc_says_or_502_9112_6_3(client: Client, origin: Script, raw: bytes) -> None:
    origin.answers(raw)
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"
    client.ask(get())
    reused = origin.requests[0].connection == origin.requests[1].connection
    assert not (reused and CODED in raw), "RFC 9112 §6.1: the connection ends"


@pytest.mark.parametrize(
    "lines",
    [(b"Content-Length: +2",), (b"Content-Length: 2", b"Content-Length: 3"), (b"Transfer-Encoding: gzip, chunked",)],
    ids=["an invalid length", "two lengths", "a coding under chunked"],
)
def test_an_invalid_framing_is_502_and_the_connection_ends_9112_6_3(
    client: Client, origin: Script, lines: tuple[bytes, ...]
) -> None:
    left: list[bool] = []

    def handle(call: Call) -> None:
        call.reply(with_lines(*lines, body=b"ok"))
        left.append(call.gone())
        call.close()

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, answer.error is not None) == (502, True)
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"
    origin.wait_for(lambda: left == [True])


@pytest.mark.parametrize(
    "encoded",
    [
        b"x\r\nok\r\n0\r\n\r\n", b"2\r\nokXX0\r\n\r\n", b"2\nok\r\n0\r\n\r\n", b"f" * 17 + b"\r\nok",
        b"2\r\nok\r\n0\r\nbad line\r\n\r\n", b"2\r\nok\r\n0\r\n X: 1\r\n\r\n",
    ],
)  # fmt: skip
def test_a_malformed_chunk_of_the_upstream_never_ends_a_message_9112_8(
    client: Client, origin: Script, encoded: bytes
) -> None:
    origin.answers(with_lines(CODED, body=encoded), close=True)
    client.send(get())
    try:
        answer = client.answer()
    except Truncated:
        return
    assert (answer.status, answer.error is not None) == (502, True)


def test_chunk_extensions_of_the_upstream_are_bounded_9112_7_1_1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.reply(with_lines(CODED))
        for _ in range(1000):
            call.send(b"1;" + b"e" * 1000 + b"\r\nx\r\n")
        call.send(chunk(b"") + b"\r\n")

    origin.answers(handle)
    client.send(get())
    with pytest.raises(Truncated):
        client.answer()
