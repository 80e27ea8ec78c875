"""C5: what grows is bounded, and each bound has its own status (RFC 9110 §15.5, RFC 6585 §5)."""

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.message import HOST, chunk, get, message, ok, post
from tests.http.origin import Call, Script
from tests.http.stream import Closed, eventually
from tests.http.verdicts import forwarded, refused

LINE, HEADER, FIELDS = 16 * 1024, 64 * 1024, 200
SMALL = message(b"POST /small/a HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
MANY = [b"X-%d: %s" % (n, b"v" * 1000) for n in range(100)]
PASSING = {
    "a request line of 16 KiB, 9112 3": get(b"/" + b"a" * (LINE - len(b"GET / HTTP/1.1"))),
    "a header of nearly 64 KiB, 6585 5": get(b"/", *MANY[:60]),
    "200 fields, 6585 5": get(b"/", *(b"X: 1" for _ in range(FIELDS - 1))),
    "a body of the route's limit, 9110 15.5.14": post(b"/small/a", body=b"x" * 1000),
    "a chunked body of the route's limit": SMALL + chunk(b"x" * 999) + chunk(b"x") + b"0\r\n\r\n",
    "a large body without a limit": post(body=b"x" * 10_000_000),
}


@pytest.mark.parametrize("raw", PASSING.values(), ids=PASSING)
def test_what_is_just_within_its_bound_passes_C5(client: Client, origin: Script, raw: bytes) -> None:
    request = forwarded(client, origin, raw)
    assert request.target == raw.split(b" ")[1]
    assert len(request.fields) > raw.split(b"\r\n\r\n")[0].count(b"\r\n")
    assert len(request.body or b"") == raw.split(b"\r\n\r\n")[1].count(b"x")


TOO_LARGE = {
    "a request line, 9110 15.5.15": (414, get(b"/" + b"a" * (LINE + 1))),
    "a request line by far": (414, get(b"/" + b"a" * 200_000)),
    "one long value, 6585 5": (431, get(b"/", b"X-A: " + b"v" * HEADER)),
    "a value by far": (431, get(b"/", b"Cookie: " + b"c" * 500_000)),
    "many long values": (431, get(b"/", *MANY)),
    "one long name": (431, get(b"/", b"X-" + b"n" * HEADER + b": 1")),
    "one field too many": (431, get(b"/", *(b"X: 1" for _ in range(FIELDS)))),
    "fields by far too many": (431, get(b"/", *(b"X: 1" for _ in range(10_000)))),
}


@pytest.mark.parametrize(("status", "raw"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_is_refused_with_its_own_status_C5(
    client: Client, origin: Script, status: int, raw: bytes
) -> None:
    refused(client, origin, raw, status)


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"GET /" + b"a" * 100_000, {414}),
        (b"A" * 100_000, {400, 414, 501}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"v" * 200_000, {431}),
    ],
    ids=["a request line", "a method", "a header"],
)
def test_what_never_ends_is_refused_at_the_limit_C5(
    client: Client, origin: Script, raw: bytes, statuses: set[int]
) -> None:
    client.send_if_open(raw)
    assert client.answer().status in statuses
    assert client.ends()
    assert not origin.requests


@pytest.mark.parametrize("length", [b"1001", b"999999999999"])
def test_a_longer_counted_body_is_413_before_a_byte_of_it_9110_15_5_14(
    client: Client, origin: Script, length: bytes
) -> None:
    client.send(message(b"POST /small/a HTTP/1.1", HOST, b"Content-Length: " + length))
    answer = client.answer()
    assert (answer.status, answer.error is not None) == (413, True)
    assert b"close" in answer.options()
    assert not origin.requests


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"POST /small/a HTTP/1.1\r\nHost: a\r\n", 413), (b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400)],
)
def test_a_client_that_sends_a_refused_body_all_the_same_is_read_to_its_end_9112_9_6(
    client: Client, origin: Script, head: bytes, status: int
) -> None:
    """Unread bytes would become a reset, which could take the answer away; sending blocks where nobody reads."""
    size = 8 * 1024 * 1024
    client.send(head + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
    assert client.answer().status == status
    assert not origin.requests


@pytest.mark.parametrize("pause", [True, False])
@pytest.mark.parametrize("chunks", [1, 2, 1001])
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""])
def test_a_longer_chunked_body_is_413_while_it_comes_9110_15_5_14(
    client: Client, origin: Script, chunks: int, end: bytes, pause: bool
) -> None:
    body = chunk(b"x" * (2002 // chunks)) * chunks + end
    if pause:
        client.send(SMALL + chunk(b"x" * 600))
        assert origin.saw(1)
    client.send_if_open(body if pause else SMALL + body)
    answer = client.answer()
    assert (answer.status, answer.error is not None) == (413, True)
    assert client.ends()
    assert all(request.body is None for request in origin.requests), "a body over the limit was made complete"


def test_a_response_header_of_nearly_64_kib_passes_C5(client: Client, origin: Script) -> None:
    origin.answers(ok(*MANY[:60]))
    assert client.ask(get()).status == 200


@pytest.mark.parametrize("size", [HEADER, 5_000_000, 0])
def test_a_larger_response_header_or_an_endless_one_is_502_C5(client: Client, origin: Script, size: int) -> None:
    def handle(call: Call) -> None:
        call.body()
        if size:
            call.stream.send_if_open(ok(b"X-A: " + b"v" * size))
        else:
            call.send(b"HTTP/1.1 200 OK\r\n")
            for _ in range(100_000):
                call.send(b"X-A: 1\r\n" * 100)
        call.close()

    origin.answers(handle)
    answer = client.ask(get())
    assert (answer.status, answer.error) == (502, b"http_response_header_section_size")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


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
