"""C5: what grows is bounded, and each bound has its own status (RFC 9110 §15.5, RFC 6585 §5)."""

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.message import HOST, chunk, get, message, ok, post
from tests.http.origin import Call, Script
from tests.http.stream import Closed, eventually
from tests.http.verdicts import forwarded, refused

LINE, HEADER, FIELDS = 16 * 1024, 64 * 1024, 200


def test_a_request_line_of_16_kib_passes_9112_3(client: Client, origin: Script) -> None:
    target = b"/" + b"a" * (LINE - len(b"GET / HTTP/1.1"))
    assert forwarded(client, origin, get(target)).target == target


@pytest.mark.parametrize("size", [LINE + 1, 20_000, 200_000])
def test_a_longer_request_line_is_414_9110_15_5_15(client: Client, origin: Script, size: int) -> None:
    refused(client, origin, get(b"/" + b"a" * size), 414)


def test_a_request_line_that_never_ends_is_414_at_the_limit_9110_15_5_15(client: Client, origin: Script) -> None:
    client.send_if_open(b"GET /" + b"a" * 100_000)
    assert client.answer().status == 414
    assert client.ends()
    assert not origin.requests


def test_a_method_that_never_ends_is_refused_at_the_limit_9112_3(client: Client, origin: Script) -> None:
    client.send_if_open(b"A" * 100_000)
    assert client.answer().status in (400, 414, 501)
    assert client.ends()


def test_a_header_of_nearly_64_kib_passes_6585_5(client: Client, origin: Script) -> None:
    lines = [b"X-%d: %s" % (n, b"v" * 1000) for n in range(60)]
    assert len(forwarded(client, origin, get(b"/", *lines)).fields) >= 60


@pytest.mark.parametrize(
    "lines",
    [
        [b"X-A: " + b"v" * HEADER],
        [b"X-%d: %s" % (n, b"v" * 1000) for n in range(100)],
        [b"X-" + b"n" * HEADER + b": 1"],
        [b"Cookie: " + b"c" * 500_000],
    ],
    ids=["one long value", "many fields", "one long name", "half a megabyte"],
)
def test_a_larger_header_is_431_6585_5(client: Client, origin: Script, lines: list[bytes]) -> None:
    refused(client, origin, get(b"/", *lines), 431)


def test_a_header_that_never_ends_is_431_at_the_limit_6585_5(client: Client, origin: Script) -> None:
    client.send_if_open(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"v" * 200_000)
    assert client.answer().status == 431
    assert client.ends()


def test_200_fields_pass_6585_5(client: Client, origin: Script) -> None:
    forwarded(client, origin, get(b"/", *(b"X: 1" for _ in range(FIELDS - 1))))


@pytest.mark.parametrize("count", [FIELDS, 1000, 10_000])
def test_more_than_200_fields_are_431_6585_5(client: Client, origin: Script, count: int) -> None:
    refused(client, origin, get(b"/", *(b"X: 1" for _ in range(count))), 431)


def test_a_body_of_the_routes_limit_passes_9110_15_5_14(client: Client, origin: Script) -> None:
    assert forwarded(client, origin, post(b"/small/a", body=b"x" * 1000)).body == b"x" * 1000


@pytest.mark.parametrize("length", [b"1001", b"5000", b"999999999999"])
def test_a_longer_counted_body_is_413_before_a_byte_of_it_9110_15_5_14(
    client: Client, origin: Script, length: bytes
) -> None:
    client.send(message(b"POST /small/a HTTP/1.1", HOST, b"Content-Length: " + length))
    answer = client.answer()
    assert (answer.status, answer.error is not None) == (413, True)
    assert b"close" in answer.options()
    assert not origin.requests


def test_a_client_that_sends_a_longer_body_all_the_same_is_read_to_its_end_9112_9_6(
    client: Client, origin: Script
) -> None:
    """Unread bytes would become a reset, which could take the answer away; sending blocks where nobody reads."""
    size = 8 * 1024 * 1024
    client.send(message(b"POST /small/a HTTP/1.1", HOST, b"Content-Length: %d" % size) + b"x" * size)
    assert client.answer().status == 413
    assert not origin.requests


def test_a_longer_chunked_body_is_413_while_it_comes_9110_15_5_14(client: Client, origin: Script) -> None:
    seen: list[bytes] = []

    def handle(call: Call) -> None:
        seen.append(call.stream.rest())
        call.close()

    origin.answers(handle)
    client.send(message(b"POST /small/a HTTP/1.1", HOST, b"Transfer-Encoding: chunked"))
    client.send_if_open(chunk(b"x" * 600))
    assert origin.saw(1)
    client.send_if_open(chunk(b"x" * 600))
    answer = client.answer()
    assert (answer.status, answer.error is not None) == (413, True)
    assert client.ends()
    # In one read with the head, the chunks never reach the upstream at all.
    assert not any(body.endswith(b"0\r\n\r\n") for body in seen)


@pytest.mark.parametrize("chunks", [1, 2, 20, 1001])
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""])
def test_a_longer_chunked_body_in_one_segment_is_413_9110_15_5_14(
    client: Client, origin: Script, chunks: int, end: bytes
) -> None:
    raw = message(b"POST /small/a HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
    client.send_if_open(raw + chunk(b"x" * (2002 // chunks)) * chunks + end)
    assert client.answer().status == 413
    assert client.ends()
    assert all(request.body is None for request in origin.requests), "a body over the limit was made complete"


def test_a_chunked_body_within_the_limit_passes_9110_15_5_14(client: Client, origin: Script) -> None:
    raw = message(b"POST /small/a HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
    assert forwarded(client, origin, raw + chunk(b"x" * 999) + chunk(b"x") + b"0\r\n\r\n").body == b"x" * 1000


def test_without_a_limit_a_large_body_passes_C5(client: Client, origin: Script) -> None:
    assert len(forwarded(client, origin, post(body=b"x" * 10_000_000)).body or b"") == 10_000_000


def test_a_response_header_of_nearly_64_kib_passes_C5(client: Client, origin: Script) -> None:
    origin.answers(ok(*(b"X-%d: %s" % (n, b"v" * 1000) for n in range(60))))
    assert client.ask(get()).status == 200


@pytest.mark.parametrize("size", [HEADER, 200_000, 5_000_000])
def test_a_larger_response_header_is_502_C5(client: Client, origin: Script, size: int) -> None:
    def handle(call: Call) -> None:
        call.body()
        call.stream.send_if_open(ok(b"X-A: " + b"v" * size))
        call.close()

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, answer.error) == (502, b"http_response_header_section_size")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_a_response_header_that_never_ends_is_502_C5(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100_000):
            call.send(b"X-A: 1\r\n" * 100)

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, answer.error) == (502, b"http_response_header_section_size")


def status_or_close(client: Client) -> int:
    """What a connection gets: the status of an answer; a mere close is as good as 503."""
    client.send_if_open(get())
    try:
        return client.answer().status
    except Closed:
        return 503


def test_more_connections_than_there_is_room_for_are_turned_away_C5(share: Start, origin: Script) -> None:
    gateway = share("of 20", STRANGLER_MAX_CONNECTIONS="20")  # nobody else's connections are still open there
    clients = [gateway.connect() for _ in range(25)]
    seen = [status_or_close(client) for client in clients]
    assert seen.count(200) == 20
    assert set(seen) == {200, 503}
    gateway.hang_up()
    assert eventually(lambda: status_or_close(gateway.connect()) == 200)


def test_a_refusal_reaches_a_client_that_is_still_sending_9112_9_6(client: Client, origin: Script) -> None:
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1000000\r\n\r\n")
    client.send_if_open(b"x" * 1_000_000)
    answer = client.answer()
    assert answer.status == 400
    assert not origin.requests
