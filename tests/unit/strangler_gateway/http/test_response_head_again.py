"""An answer's head that is read by the one before it means the same, and has the same lines for the client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.http.response_head import (
    BadResponse,
    ResponseHead,
    ResponseMeaning,
    parse_response,
    repeated_response,
)
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service
from strangler_gateway.upstream.heads.back import response_fields, response_lines

SERVICE = Service("m", "http", "inside", 3000)
ROUTE = Route("all", "/{rest...}", None, Movable("all", "route"), SERVICE)
TABLE = RouteTable("d", (ROUTE,), {"m": SERVICE}, {})
REQUEST = parse_request(b"GET /a HTTP/1.1\r\nHost: public\r\n\r\n", 1000, 4000, 50)
STATUSES = st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404 No", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 None"])
LINES = st.sampled_from(
    [
        *(
            b"Content-Length: 5",
            b"Content-Length: 6",
            b"Content-Length:7",
            b"Content-Length: +8",
            b"Content-Length: 9, 9",
        ),
        *(b"Content-Length: 12 ", b"Transfer-Encoding: chunked", b"Date: now", b"Date: then", b"X-A: 1", b"X-A: 2"),
        *(b"X-A : 3", b"X-A: \x01", b"x-a: 1", b"Connection: keep-alive", b"Connection: close", b"Connection: X-A"),
        *(b"Keep-Alive: timeout=5", b"Keep-Alive: timeout=6", b"Set-Cookie: a=1; Domain=inside", b"Set-Cookie: b=2"),
        *(b"Location: http://inside:3000/a", b"Location: /b", b"Content-Type: text/event-stream", b"Upgrade: h2c"),
    ]
)
LENGTH = st.sampled_from([b"Content-Length: 5", b"Content-Length: 6", b"Content-Length: 77"])


def meaning(head: ResponseHead) -> tuple[object, ...]:
    x = Exchange(REQUEST, HeadMemory(), TABLE, "1.2.3.4", b"http", 0.0)
    told = [getattr(head.meaning, name) for name in ResponseMeaning.__slots__ if name not in ("gone", "starts")]
    told += [head.length, head.lines, head.received]
    return *told, head.fields, response_lines(x, head, SERVICE, False), response_fields(x, head, SERVICE, False)


def whole(status: bytes, fields: list[bytes]) -> bytes:
    return b"\r\n".join([status, *fields, b"", b""])


@given(
    statuses=st.lists(STATUSES, min_size=2, max_size=3),
    fields=st.lists(st.lists(LINES, max_size=3), min_size=3, max_size=3),
    lengths=st.lists(LENGTH, min_size=3, max_size=3),
    looks=st.booleans(),
)
def test_a_head_means_the_same_whatever_came_before_it(
    statuses: list[bytes], fields: list[list[bytes]], lengths: list[bytes], looks: bool
) -> None:
    last: ResponseHead | None = None
    for status, lines, length in zip(statuses, fields, lengths, strict=False):
        raw = whole(status, [*lines, length])
        try:
            anew = parse_response(raw, b"GET")
        except BadResponse:
            assert last is None or repeated_response(raw, last) is None
            continue
        head = repeated_response(raw, last) if last is not None else None
        assert head is None or meaning(head) == meaning(anew)
        last = head or anew
        if looks:
            meaning(last)


def test_a_head_with_another_date_length_and_nonce_is_not_parsed() -> None:
    last = parse_response(whole(b"HTTP/1.1 200 OK", [b"Date: now", b"X-A: 1", b"Content-Length: 5"]), b"GET")
    head = repeated_response(whole(b"HTTP/1.1 200 OK", [b"Date: then", b"X-A: 2", b"Content-Length: 6"]), last)
    assert head is not None
    assert (head.length, head.meaning is last.meaning) == (6, True)


def test_a_longer_value_of_a_field_that_means_something_is_left_to_the_parser() -> None:
    last = parse_response(whole(b"HTTP/1.1 200 OK", [b"Keep-Alive: timeout=5", b"Content-Length: 5"]), b"GET")
    assert repeated_response(whole(b"HTTP/1.1 200 OK", [b"Keep-Alive: timeout=50", b"Content-Length: 5"]), last) is None


@pytest.mark.parametrize("line", [b"X-A: \x01", b"X-A: a\rb", b"X-A: a\nb", b"X-A", b"Content-Length: -1"])
def test_a_line_that_is_malformed_is_left_to_the_parser(line: bytes) -> None:
    last = parse_response(whole(b"HTTP/1.1 200 OK", [b"X-A: 1", b"Content-Length: 5"]), b"GET")
    for fields in ([line, b"Content-Length: 5"], [b"X-A: 1", line]):
        assert repeated_response(whole(b"HTTP/1.1 200 OK", fields), last) is None


@pytest.mark.parametrize("line", [b"X-A: 2\rX-B: 1", b"X-A: 2\nX-B: 1", b"X-A: 1\r\nX-B: 1", b"Connection: close"])
def test_a_line_of_another_end_or_of_a_field_that_means_something_is_left_to_the_parser(line: bytes) -> None:
    before = [b"Connection: keep-alive"] if line.startswith(b"C") else [b"X-A: 1", b"X-B: 1"]
    last = parse_response(whole(b"HTTP/1.1 200 OK", [*before, b"Content-Length: 5"]), b"GET")
    again = repeated_response(whole(b"HTTP/1.1 200 OK", [line, b"Content-Length: 5"]), last)
    assert (again is None) == (line != b"X-A: 1\r\nX-B: 1")
