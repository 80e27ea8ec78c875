"""Heads of messages: what is refused, with which status; what is accepted is read as h11 reads it."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.http.request_head import BadRequest, RequestHead, incomplete_request, parse_request
from strangler_gateway.http.response_head import BadResponse, parse_response
from tests.support.effort import examples

LIMITS = (1000, 2000, 20)


def request(lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a\r\n") -> RequestHead:
    return parse_request(line + b"\r\n" + host + lines + b"\r\n", *LIMITS)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        (b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 20 + b"\r\n", 431),
    ],
)
def test_a_malformed_head_is_refused_with_its_own_status(head: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_request(head, *LIMITS)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        (b"Content-Length: 3, 3\r\n", 400),
        (b"Content-Length: +3\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 0x3\r\n", 400),
        (b"Content-Length:\r\n", 400),
        (b"Content-Length: " + b"9" * 30 + b"\r\n", 400),
        (b"Transfer-Encoding: chunked, identity\r\n", 400),
        (b"Transfer-Encoding: xchunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400),
        (b"Transfer-Encoding:\r\n", 400),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Expect: 200-ok\r\n", 417),
    ],
)
def test_framing_that_can_be_read_in_two_ways_is_refused(lines: bytes, status: int) -> None:
    """RFC 9112 §6.1, §6.3."""
    with pytest.raises(BadRequest) as refused:
        request(lines, b"POST / HTTP/1.1")
    assert refused.value.status == status


def test_transfer_encoding_in_an_http_1_0_request_is_refused() -> None:
    with pytest.raises(BadRequest):
        request(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0")


@pytest.mark.parametrize(
    ("line", "target", "path", "query", "host"),
    [
        (b"GET /a%2Fb/../c;p=1?x=%zz&x= HTTP/1.1", b"/a%2Fb/../c;p=1?x=%zz&x=", b"/a%2Fb/../c;p=1", b"?x=%zz&x=", b"a"),
        (b"GET /a? HTTP/1.1", b"/a?", b"/a", b"?", b"a"),
        (b"GET //a HTTP/1.1", b"//a", b"//a", b"", b"a"),
        (b"GET http://B:81/x?y HTTP/1.1", b"/x?y", b"/x", b"?y", b"B:81"),
        (b"GET http://b HTTP/1.1", b"/", b"/", b"", b"b"),
        (b"OPTIONS http://b HTTP/1.1", b"*", b"*", b"", b"b"),
        (b"OPTIONS * HTTP/1.1", b"*", b"*", b"", b"a"),
        (b"GET http://[::1]:8/ HTTP/1.1", b"/", b"/", b"", b"[::1]:8"),
    ],
)
def test_the_target_is_kept_byte_for_byte(line: bytes, target: bytes, path: bytes, query: bytes, host: bytes) -> None:
    """RFC 9112 §3.2."""
    head = request(b"", line)
    assert (head.target, head.path, head.query, head.host) == (target, path, query, host)


def test_an_unknown_method_and_one_leading_empty_line_are_taken() -> None:
    head = parse_request(b"\r\nBREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", *LIMITS)
    assert head.method == b"BREW"


@pytest.mark.parametrize(
    ("buffer", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b"{", 400),
        (b"\r\n\r\nG", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /" + b"a" * 2000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 4000, 431),
        (b"GET / HTTP/9.1\r\nX", 505),
        (b"GET / HT", None),
        (b"\r", None),
    ],
)
def test_what_can_no_longer_become_a_request_is_refused_before_its_end(buffer: bytes, status: int | None) -> None:
    if status is None:
        incomplete_request(buffer, 1000, 2000)
        return
    with pytest.raises(BadRequest) as refused:
        incomplete_request(buffer, 1000, 2000)
    assert refused.value.status == status


TOKEN = st.text("abcXYZ019-_!", min_size=1, max_size=8).map(str.encode)
VALUE = st.binary(max_size=12).map(
    lambda b: bytes(c for c in b if c in b"\t\x20" or 0x20 < c < 0x7F or c > 0x7F).strip()
)


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.tuples(TOKEN, VALUE), max_size=6),
    st.sampled_from([b"Content-Length: 3\r\n", b"", b"Transfer-Encoding: chunked\r\n"]),
)
def test_what_is_accepted_is_what_h11_reads(fields: list[tuple[bytes, bytes]], framing: bytes) -> None:
    fields = [(b"X-" + name, value) for name, value in fields]
    raw = b"POST /x HTTP/1.1\r\nHost: a\r\n" + framing + b"".join(b"%b: %b\r\n" % f for f in fields) + b"\r\n"
    ours = parse_request(raw, *LIMITS)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    theirs = connection.next_event()
    assert isinstance(theirs, h11.Request)
    assert [(n.lower(), v.rstrip(b" \t")) for n, v in ours.fields] == list(theirs.headers)


@settings(max_examples=examples(500), deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_refusal(noise: bytes) -> None:
    for raw in (noise + b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n" + noise + b"\r\n\r\n"):
        try:
            parse_request(raw, *LIMITS)
        except BadRequest:
            continue


@pytest.mark.parametrize(
    ("head", "length", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 3, True),
        (b"HTTP/1.1 200 \r\nContent-Length: 3, 3\r\n\r\n", 3, True),
        (b"HTTP/1.1 200\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", 3, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -1, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", -1, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", None, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", 3, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 0, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\n\r\n", 0, True),
        (b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", 0, True),
    ],
)
def test_a_response_is_delimited_as_rfc_9112_says(head: bytes, length: int | None, keep_alive: bool) -> None:
    """RFC 9112 §6.3."""
    response = parse_response(head, b"GET")
    assert (response.length, response.keep_alive) == (length, keep_alive)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ,5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_response_that_cannot_be_passed_on_is_told_apart(head: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_response(head, b"GET")


def test_a_head_response_has_no_body_whatever_it_says() -> None:
    """RFC 9110 §9.3.2."""
    assert parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", b"HEAD").length == 0
