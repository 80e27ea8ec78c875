"""F8, F9: answers of old servers are put right, or read where their service is `lenient`; requests never are."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, Truncated, get, message, ok
from tests.http.origin import Script

BODY = b"hello"


def answer(*lines: bytes, body: bytes = BODY) -> bytes:
    return message(b"HTTP/1.1 200 OK", *lines, body=body)


MENDED = {
    "a space before a colon, 9112 5.1": (answer(b"X-A : 1 2", b"Content-Length : 5"), b"1 2"),
    "tabs before a colon, 9112 5.1": (answer(b"X-A\t\t: 1 2", b"Content-Length\t: 5"), b"1 2"),
    "a folded field, 9112 5.2": (answer(b"X-A: 1", b" 2", b"Content-Length:", b" 5"), b"1 2"),
    "a folded field that looks like another": (answer(b"X-A: 1", b" Content-Length: 9", b"Content-Length: 5"),
                                               b"1 Content-Length: 9"),
    "a coding with a space": (answer(b"X-A: 1 2", b"Transfer-Encoding : chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
                              b"1 2"),
    "a coding and a length": (answer(b"X-A: 1 2", b"Transfer-Encoding : chunked", b"Content-Length : 2",
                                     body=b"5\r\nhello\r\n0\r\n\r\n"), b"1 2"),
    "spaces behind a size, 9112 7.1": (answer(b"X-A: 1 2", b"Transfer-Encoding: chunked",
                                              body=b"5  \r\nhello\r\n0 \t\r\n\r\n"), b"1 2"),
}  # fmt: skip
LENIENT = {
    "bare LF, 9112 2.2": b"HTTP/1.1 200 OK\nX-A: 1 2\nContent-Length: 5\n\nhello",
    "both": b"HTTP/1.1 200 OK\r\nX-A : 1\n 2\r\nContent-Length: 5\n\r\nhello",
    "up to the close": b"HTTP/1.0 200 OK\nX-A: 1 2\n\nhello",
    "chunked": b"HTTP/1.1 200 OK\nX-A: 1 2\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
    "identity and a length, 2616 3.6": answer(b"X-A: 1 2", b"Transfer-Encoding: identity", b"Content-Length: 5"),
    "an empty line of LFs in the body": answer(b"X-A: 1 2", b"Content-Length: 5", body=b"\n\r\n\n!"),
}


@pytest.mark.parametrize(("raw", "value"), MENDED.values(), ids=MENDED)
def test_an_answer_of_an_old_server_arrives_as_any_other(
    client: Client, origin: Script, raw: bytes, value: bytes
) -> None:
    """Also the second time, when its head is known, and on a connection that is used again."""
    for _ in range(3):
        origin.answers(raw)
        seen = client.ask(get())
        assert (seen.status, seen.get(b"x-a"), seen.body, seen.error) == (200, value, BODY, None)
        origin.answers(ok(body=b"next"))
        assert client.ask(get()).body == b"next"


@pytest.mark.parametrize("raw", LENIENT.values(), ids=LENIENT)
def test_a_lenient_service_may_be_older_still(client: Client, origin: Script, raw: bytes) -> None:
    for _ in range(2):
        origin.answers(raw, close=b"1.0" in raw)
        seen = client.ask(get(b"/lenient/"))
        assert (seen.status, seen.get(b"x-a"), len(seen.body), seen.error) == (200, b"1 2", 5, None)
        origin.answers(ok(body=b"next"))
        assert client.ask(get(b"/lenient/")).body == b"next"


@pytest.mark.parametrize("raw", [raw for name, raw in LENIENT.items() if "body" not in name])
def test_no_other_service_may_9112_2_2(client: Client, origin: Script, raw: bytes) -> None:
    origin.answers(raw, close=True)
    seen = client.ask(get())
    assert (seen.status, seen.error is not None) == (502, True)


@pytest.mark.parametrize("field", [b"Connection : X-A, close", b"Connection:", b"Keep-Alive : timeout=5"])
def test_a_field_of_one_hop_is_known_in_any_dialect_9110_7_6_1(client: Client, origin: Script, field: bytes) -> None:
    origin.answers(ok(b"X-A: 1", field, b"\tX-A", b"Location :", b"\thttp://127.0.0.1:%d/x" % origin.port))
    seen = client.ask(get())
    assert seen.get(b"x-a") is None or b"Keep-Alive" in field
    assert seen.body == b"ok"
    assert seen.get(b"location") == b"http://shop.example/x"


@pytest.mark.parametrize("target", [b"/", b"/lenient/"])
@pytest.mark.parametrize(
    "lines",
    [
        (b" X-A: 1",), (b"X-A", b" : 1"), (b"X A : 1",), (b" : 1",), (b"X-A: 1\rX-B: 2",), (b"X-A: 1", b" 2\0"),
        (b"Content-Length: 5", b" 5"), (b"Content-Length : 5", b"Content-Length: 6"),
        (b"Transfer-Encoding: identity,", b" chunked", b"Content-Length: 5"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_502(
    client: Client, origin: Script, target: bytes, lines: tuple[bytes, ...]
) -> None:
    origin.answers(answer(*lines), close=True)
    seen = client.ask(get(target))
    assert (seen.status, seen.error is not None) == (502, True)


def test_a_trailer_of_an_old_server_is_put_right_9112_7_1_2(client: Client, origin: Script) -> None:
    origin.answers(answer(b"Transfer-Encoding: chunked", b"Trailer: X-T", body=b"0\r\nX-T : 1\r\n 2\r\n\r\n"))
    seen = client.ask(get(b"/", b"TE: trailers", b"Connection: TE"))
    assert seen.trailers == [(b"X-T", b"1 2")]


def test_a_lenient_answer_that_is_cut_is_not_complete_9112_8(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n", close=True)
    with pytest.raises(Truncated):
        client.ask(get(b"/lenient/"))


@pytest.mark.parametrize("line", [b"X-A : 1", b"X-A: 1\r\n 2", b"X-A: 1\nX-B: 2"])
def test_a_request_stays_strict_for_a_lenient_service_9112_5_1(client: Client, origin: Script, line: bytes) -> None:
    client.send_if_open(message(b"GET /lenient/ HTTP/1.1", HOST, line))
    assert client.answer().status == 400
    assert not origin.requests
