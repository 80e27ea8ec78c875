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
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
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
        (b"Content-Length:\r\n", 400),
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


LINES = [
    b"X-A  : 1", b"X A: 1", b"X-A \t: 1", b"Content-Length : 5", b" folded", b"\tfolded", b" ", b"\t", b" Host: evil",
    b":", b"no colon", b"X", b"X(A): 1", b"X@A: 1", b'X"A: 1', b"X/A: 1", b"X;A: 1", b"X,A: 1", b"X=A: 1", b"X[A]: 1",
    b"{X}: 1", b"X?A: 1", b"<X>: 1", b"X\\A: 1", b"\xc3\xa9: 1", b"X\x00A: 1", b"\x00X: 1", b"X\x7f: 1", b"X\x01: 1",
    b"X\rA: 1", b"X\nA", b"X-A: 1\x00", b"X-A:\x00", b"X-A: 1\rb", b"X-A: 1\nX-B: 2", b"X-A: \n", b"X-A: 1\r\r",
    b"GET / HTTP/1.1", b"X-A\x0b: 1", b"\x0bX-A: 1", b"X-A\xa0: 1", b"X-A: \nb", b"X-A: \rb", b"X-A: \x08",
    b"X-A: \x0b",
    b"X-A: a\x0cb", b"X-A: \x1f", b"X-A: \x7f", b"Host: a", b"host: evil", b"HOST:",
]  # fmt: skip
REQUEST_LINES = [
    b"GET / HTTP/1", b"GET / HTTP/11", b"GET / HTTP/1.", b"GET / HTTP/.1", b"GET / HTTP/1.10", b"GET / HTTP/01.1",
    b"GET / HTTP/1,1", b"GET / HTTP 1.1", b"GET / HTTP/1.1x", b"GET / HTTP/1.1 HTTP/1.1", b"GET / HTTPS/1.1",
    b"GET / ICE/1.0", b"GET / HTTP/x.y", b"GET / HTTP/-1.1", b"GET /", b"GET", b"/ HTTP/1.1", b"GET HTTP/1.1",
    b"GET / /b HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET / HTTP/1.1\x00", b"GET\t/\tHTTP/1.1", b"GET\r/ HTTP/1.1",
    b"\x00GET / HTTP/1.1", b"\xff\xfe", b"*", b":", b"GET / HTTP/1\xe2\x80\xa41", b"GET /  HTTP/1.1",
    b"GET / HTTP/1.1\t",
    b"GET / HTTP/1.1\r", b"GE(T / HTTP/1.1", b"G@T / HTTP/1.1", b'"GET" / HTTP/1.1', b"GET\x01 / HTTP/1.1",
    b"G\xc9T / HTTP/1.1", b"GET, / HTTP/1.1", b"{} / HTTP/1.1", b"GET/ / HTTP/1.1", b"POST * HTTP/1.1",
    b"TRACE * HTTP/1.1",
    b"OPTIONS ** HTTP/1.1", b"OPTIONS *a HTTP/1.1", b" GET / HTTP/1.1", b"\tGET / HTTP/1.1",
    b"\xef\xbb\xbfGET / HTTP/1.1",
    b"\r\r\nGET / HTTP/1.1", b"\r\n GET / HTTP/1.1",
]  # fmt: skip
TARGETS = [
    b"/caf\xe9", b"/?q=\xff", b"/\x80", b"/a\x7f", b"/\x1b[31m", b"/a\tb", b"/a\x0bb", b"/a\x0cb", b"/a\x00", b"/a\rb",
    b"/a\nb", b"http:///a", b"http://", b"http:/a", b"http:a", b"http://user:pw@b/", b"http://@/", b"http://a b/",
    b"http://b:x/", b"http://[::1/", b"://b/", b"http://sh\\op/", b"http://b#f", b"http://b/#f", b"http://a,b@c/",
    b"http://:80/", b"ws://b/", b"urn:a:b", b"mailto:a@b.example", b"file:///etc/passwd", b"b:80", b"b.example", b"?q",
    b"a",
    b".", b"%2Fa", b"\\a", b";", b"+", b"/#", b"/a#f?b", b"#", b"/a%23b#c",
]  # fmt: skip
HOSTS = [
    b"user:password@b", b"@b", b"b@", b"a@b:80", b"b/path", b"b?q", b"b#f", b"http://b", b"a\tb", b"a, b", b"b:port",
    b"b:80:80", b"b:-1", b"b:+80", b"[::1", b"::1", b"[::1]x", b"[g::1]", b"caf\xc3\xa9.example", b"a\\b", b"a<b>",
    b'a"b',
    b"a%zz", b"{a}", b"a|b", b"a^b", b"a`b",
]  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        *(b"GET / HTTP/1.1\r\nHost: a\r\n" + line for line in LINES),
        *(line + b"\r\nHost: a" for line in REQUEST_LINES),
        *(b"GET " + target + b" HTTP/1.1\r\nHost: a" for target in TARGETS),
        *(b"GET / HTTP/1.1\r\nHost: " + host for host in HOSTS),
    ],
)
def test_each_variant_of_a_malformed_head_is_refused(head: bytes) -> None:
    """RFC 9112 §2.2, §3, §5; 505 where it is a version all the same."""
    with pytest.raises(BadRequest) as refused:
        parse_request(head + b"\r\nX-Z: 9\r\n\r\n", *LIMITS)
    assert refused.value.status in (400, 505)


LENGTHS = [
    b"-5", b"5a", b"0x5", b" ", b"5 5", b"5;", b"5,", b",5", b"5.0", b"5e0", b"five", b"\xb2", b"0b1", b"5_0",
    b"18446744073709551621", b"9223372036854775808", b"4294967301,5", b"5, 6", b"5,5,6", b"-0", b"NaN", b"'5'", b'"5"',
    b"5\x0b", b"\x0b5", b"5\x00", b"\xef\xbc\x95", b"(5)", b"5#", b"#5",
]  # fmt: skip
CODINGS = [
    b"identity", b"identity, chunked", b"chunkedx", b"chunked, chunked", b"x", b"gzip", b"deflate", b"chunked, gzip",
    b"chunked\x0b", b"\x0cchunked", b"chunked\x00", b" ", b'"chunked"', b"chunked;q=0.5", b"chunked ; x", b"chunk",
    b"'chunked'", b"chunked\xa0", b"\xe2\x80\x8bchunked", b"c hunked", b"chunked chunked", b"chunked\tx",
    b"chunked\r\nTransfer-Encoding: x", b"x\r\nTransfer-Encoding: chunked", b"gzip\r\nTransfer-Encoding: chunked",
    b"chunked\r\n , identity", b"\r\n chunked", b"chunked\r",
    b"chunked\r\nContent-Length: 0", b"chunked\r\nConnection: Transfer-Encoding\r\nContent-Length: 5",
    b"identity\r\nContent-Length: 5", b"\r\nContent-Length: 5", b"deflate, chunked", b"br,chunked", b"x-gzip , chunked",
]  # fmt: skip
LINES_OF_LENGTHS = [
    b"6\r\nContent-Length: 5", b"5\r\ncontent-length: 0", b"5\r\nX: 1\r\nContent-Length:", b"5\r\nContent-Length: 5, 6",
    b"5\r\nContent-Length: 5\r\nContent-Length: 4", b"5\r\nContent-Length: 05", b"5\r\nContent-Length: 5", b"5,5",
]  # fmt: skip
OTHER_FRAMING = [
    b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b"Transfer-Encoding\r\n: chunked",
    b" Transfer-Encoding: chunked", b"X: 1\r\n Transfer-Encoding: chunked", b"Transfer\x00-Encoding: chunked",
    b"X: 1\nTransfer-Encoding: chunked", b"X: 1\rTransfer-Encoding: chunked", b"Expect: 100-continue, x",
    b"Expect: x=y",
    b"Expect: foo", b"Expect: 100-continue;q=1",
]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        *(b"Content-Length: " + length for length in LENGTHS + LINES_OF_LENGTHS),
        *(b"Transfer-Encoding: " + coding for coding in CODINGS),
        *OTHER_FRAMING,
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"HEAD", b"DELETE"])
def test_each_variant_of_doubtful_framing_is_refused_for_every_method(lines: bytes, method: bytes) -> None:
    """RFC 9112 §6.1, §6.3; 417 is for expectations, 501 for codings that are known and not spoken."""
    with pytest.raises(BadRequest) as refused:
        request(lines + b"\r\n", method + b" / HTTP/1.1")
    assert refused.value.status in (400, 417, 501)


@pytest.mark.parametrize("length", [b"05", b"0000000005", b"5 ", b"5", b"\t5"])
def test_leading_zeros_and_white_space_do_not_change_a_length(length: bytes) -> None:
    assert request(b"Content-Length:" + length + b"\r\n").meaning.length == 5


@pytest.mark.parametrize("coding", [b"chunked", b"CHUNKED", b" Chunked ", b"\tchunked", b"chunked, "])
def test_chunked_is_known_in_any_case(coding: bytes) -> None:
    assert request(b"Transfer-Encoding:" + coding + b"\r\n").meaning.length is None


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
    assert (head.target, head.path, head.query, head.meaning.host) == (target, path, query, host)


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
    assert (response.length, response.meaning.keep_alive) == (length, keep_alive)


STATUS_LINES = [
    b"HTTP/2.0 200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 abc OK", b"HTTP/1.1 099 Low", b"HTTP/1.1 000 Zero",
    b"HTTP/1.1  200 OK", b"HTTP/1.1", b"garbage", b"http/1.1 200 OK", b"HTTP/1.1 -20 x", b"HTTP/1.1 200\x00OK",
    b"<html>",
    b"\x16\x03\x01\x02\x00", b"HTTP/1.1 200 O\rK", b" HTTP/1.1 200 OK", b"HTTP/0.9 200 OK", b"SSH-2.0-x", b"220 smtp",
    b"HTTP/1.1 200 OK\n\n",
]  # fmt: skip
RESPONSE_LINES = [
    b"bad line", b": x", b"A B: c", b"A: b\nC: d", b"A: b\rC: d", b"X\xe9: b", b"A B : c", b" : c", b": c", b"\tA: b",
    b"A\r\n : b", b"A: b\r\n c\0", b"A: b\r\n c\rd", b"Content-Length: 2\r\n 2",
    b"Content-Length : 2\r\nContent-Length: 3",
    b"Transfer-Encoding : gzip", b"Transfer-Encoding: chunked,\r\n identity",
    *(b"Content-Length: " + length for length in (
        b"+2", b"-2", b"abc", b"2a", b"0x2", b"2.0", b"1e1", b"2 2", b"2;", b"", b"9" * 40, b"18446744073709551618",
        b"2, 3", b"2,,2", b",", b"\xb2",
    )),
    *(b"Transfer-Encoding: " + coding for coding in (
        b"gzip, chunked", b"identity", b"chunked, chunked", b"chunked, gzip", b"xchunked", b"chunked;q=1",
        b"\x0bchunked", b"", b"chunked, identity",
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        *(line + b"\r\nContent-Length: 2\r\n\r\n" for line in STATUS_LINES),
        *(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n" for line in RESPONSE_LINES),
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
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


MENDED = [
    (b"X-A : 1", [(b"X-A", b"1")], 0),
    (b"X-A \t : 1 : 2", [(b"X-A", b"1 : 2")], 0),
    (b"X-A: 1\r\n 2\r\n\t3", [(b"X-A", b"1 2 3")], 0),
    (b"X-A:\r\n : 1\r\nX-B : 2", [(b"X-A", b": 1"), (b"X-B", b"2")], 0),
    (b"X-A: 1\r\n \r\nX-B: 2", [(b"X-A", b"1 "), (b"X-B", b"2")], 0),
    (b"X-A: 1\r\n Content-Length: 9", [(b"X-A", b"1 Content-Length: 9")], 0),
]


@pytest.mark.parametrize(("lines", "fields", "length"), MENDED)
def test_the_fields_of_an_old_server_are_put_right(
    lines: bytes, fields: list[tuple[bytes, bytes]], length: int
) -> None:
    """RFC 9112 §5.1: spaces before a colon are removed; §5.2: an obs-fold becomes a space."""
    response = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nContent-Length : 0\r\n\r\n", b"GET")
    assert response.fields == [*fields, (b"Content-Length", b"0")]
    assert (response.length, response.meaning.keep_alive) == (length, True)
    assert response.lines == [b"%b: %b" % pair for pair in response.fields]


@pytest.mark.parametrize(
    ("lines", "length", "keep_alive"),
    [
        (b"Content-Length : 5", 5, True),
        (b"Content-Length :\r\n 5", 5, True),
        (b"Transfer-Encoding : chunked\r\nContent-Length: 5", -1, False),
        (b"Transfer-Encoding: chunked\r\nContent-Length : 5", -1, False),
        (b"Transfer-Encoding:\r\n\tchunked", -1, True),
        (b"Content-Length: 5\r\nConnection : close", 5, False),
        (b"Content-Length: 5\r\nConnection: X-A,\r\n close", 5, False),
    ],
)
def test_what_frames_an_answer_is_recognised_in_any_dialect(lines: bytes, length: int, keep_alive: bool) -> None:
    """RFC 9112 §6.3: a name that is not recognised would let the next answer begin elsewhere."""
    response = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n", b"GET")
    assert (response.length, response.meaning.keep_alive) == (length, keep_alive)


LENIENT = [
    (b"HTTP/1.1 200 OK\nContent-Length: 5\nX-A : 1\n\n", 5, True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\nX-A: 1\r\n\n", 5, True),
    (b"HTTP/1.0 200 OK\nX-A: 1\n 2\n\n", None, False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\nContent-Length: 5\r\n\r\n", 5, False),
    (b"HTTP/1.1 200 OK\nTransfer-Encoding : identity\nContent-Length: 5\n\n", 5, False),
]


@pytest.mark.parametrize(("head", "length", "keep_alive"), LENIENT)
def test_a_lenient_service_may_end_lines_with_lf_and_say_identity(
    head: bytes, length: int | None, keep_alive: bool
) -> None:
    response = parse_response(head, b"GET", is_lenient=True)
    assert (response.length, response.meaning.keep_alive, response.received) == (length, keep_alive, head)
    assert b"\n" not in b"".join(response.lines)
    with pytest.raises(BadResponse):
        parse_response(head, b"GET")


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: identity, chunked\nContent-Length: 5",
        b"Transfer-Encoding: identity\nTransfer-Encoding: chunked\nContent-Length: 5",
        b"Transfer-Encoding: identity\nContent-Length: 5\nContent-Length: 6",
        b"Transfer-Encoding: gzip\nContent-Length: 5",
        b"X-A: 1\rX-B: 2",
        b"X-A: 1\r\r",
        b"X-A",
    ],
)
def test_a_lenient_service_may_not_be_read_in_two_ways(lines: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_response(b"HTTP/1.1 200 OK\n" + lines + b"\n\n", b"GET", is_lenient=True)
