"""A head that repeats the fields of the one before it is read by them, and means the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strangler_gateway.http.request_head import BadRequest, RequestHead, RequestMeaning, parse_request
from strangler_gateway.server.request_reader import RequestReader
from strangler_gateway.settings import Settings

LIMITS = (16 * 1024, 64 * 1024, 200)
LINES = st.sampled_from(
    [
        b"Host: shop.example",
        b"Content-Length: 3",
        b"Content-Length: 35",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: X-Private, keep-alive",
        b"X-Private: 1",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Connection: upgrade",
        b"TE: trailers",
        b"Authorization: Bearer a",
        b"Authorization:Bearer bcd \t",
        b"Authorization:",
        b"Authorization: \x7f",
        b"authorization: Basic a",
        b"X-Request-Id: r-1",
        b"X-A: 1",
        b"X-A:2 ",
        b"X-A: \x01",
        b"X-A: \r3",
        b"X-A 1",
        b"x-a: 1",
        b"X-AB: 1",
    ]
)
REQUEST_LINES = st.tuples(
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT"]),
    st.sampled_from([b"/a", b"/b?c=d", b"*", b"http://other.example/a", b"/a#f"]),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
)


ABSOLUTE, PLAIN = (b"GET", b"http://other.example/a", b"HTTP/1.1"), (b"GET", b"/a", b"HTTP/1.1")


def read(head: bytes, last: RequestHead | None) -> dict[str, object] | str:
    try:
        request = parse_request(head, *LIMITS, last)
    except BadRequest as exc:
        return exc.message
    meaning = {name: getattr(request.meaning, name) for name in RequestMeaning.__slots__ if name != "starts"}
    names = ("method", "target", "path", "query", "lines", "fields", "authorization", "authorization_line")
    return meaning | {name: getattr(request, name) for name in names}


@example(before=ABSOLUTE, after=PLAIN, fields=[b"Host: shop.example"], other=[b"Host: shop.example"])
@given(before=REQUEST_LINES, after=REQUEST_LINES, fields=st.lists(LINES, max_size=5), other=st.lists(LINES, max_size=5))
def test_a_head_means_the_same_whatever_came_before_it(
    before: tuple[bytes, ...], after: tuple[bytes, ...], fields: list[bytes], other: list[bytes]
) -> None:
    for lines in (fields, other):
        first = b"\r\n".join([b" ".join(before), *lines, b"", b""])
        second = b"\r\n".join([b" ".join(after), *fields, b"", b""])
        try:
            last = parse_request(first, *LIMITS)
        except BadRequest:
            continue
        assert read(second, last) == read(second, None)


def test_other_values_of_plain_fields_are_not_parsed_as_a_new_head() -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\nX-B: 2\r\n\r\n", *LIMITS)
    second = parse_request(b"GET /b HTTP/1.1\r\nHost: shop.example\r\nX-A: 3\r\nX-B: 2\r\n\r\n", *LIMITS, first)
    assert second.meaning is first.meaning
    assert second.fields == [(b"Host", b"shop.example"), (b"X-A", b"3"), (b"X-B", b"2")]


CREDENTIALS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Authorization: Bearer a", b"Authorization:Bearer ab", b"authorization: Bearer a", b"X-A: 1"]
        ),
        st.from_regex(rb"Authorization:[ \t]{0,2}[\x21-\x7e\x80-\xff \t]{0,9}", fullmatch=True),
    ),
    max_size=2,
)


@given(st.lists(CREDENTIALS, min_size=2, max_size=6))
def test_each_head_of_a_connection_has_its_own_credential(heads: list[list[bytes]]) -> None:
    last = None
    for number, lines in enumerate(heads):
        head = b"\r\n".join([b"GET /%d HTTP/1.1" % number, b"Host: shop.example", *lines, b"", b""])
        assert read(head, last) == read(head, None)
        last = parse_request(head, *LIMITS, last)


STARTS = [b"GET /a HTTP/1.1\r\nHost: a\r\n", b"GET /b?c HTTP/1.1\r\nHost: a\r\n", b"GET /a HTTP/1.0\r\n"]
CREDENTIAL = [b"Authorization: a\r\n", b"Authorization: bc\r\n", b"Authorization: d\x00\r\n"]
PIECES = st.lists(st.sampled_from([*STARTS, *CREDENTIAL, b"X: 1\r\n", b"\r\n", b"\r"]), max_size=9)
ANN = b"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: ann\r\n\r\n"


def taken(received: list[bytes], remembers: bool) -> list[object]:
    """What a reader makes of the bytes; where one of them is refused, nothing follows."""
    reader, found = RequestReader(Settings.model_validate({})), list[object]()
    try:
        for data in received:
            reader.buffer += data
            while (head := reader.take()) is not None:
                found.append((head.method, head.target, head.meaning.version, head.lines, head.authorization))
                reader.last = reader.last if remembers else None
    except BadRequest as exc:
        found.append(exc.message)
    return [*found, reader.buffer]


@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"ann", b"eve\r\n\r\nGET /b HTTP/1.1\r\nHost: b")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"Host: a\r\n", b"")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"Host: a", b"Host: b")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"GET", b"PUT")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"1.1", b"1.0")])
@example([ANN, ANN.replace(b"Host", b"X: 1\r\nHost")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"Authorization", b"Authorisation")])
@example([ANN, ANN.replace(b"ann", b"bob"), ANN.replace(b"ann", b"a\x7f")])
@example([b"GET / HTTP/1.1\r\nAuthorization: %b\r\nHost: a\r\n\r\n" % name for name in (b"ann", b"bob", b"eve")])
@given(st.lists(st.one_of(PIECES.map(b"".join), st.sampled_from([ANN, ANN.replace(b"ann", b"bob")])), max_size=5))
def test_a_connection_is_cut_into_the_same_heads_whatever_it_remembers(received: list[bytes]) -> None:
    assert taken(received, remembers=True) == taken(received, remembers=False)


def test_another_credential_is_not_parsed_as_a_new_head() -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer a\r\n\r\n", *LIMITS)
    head = b"GET /a HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer bc \r\n\r\n"
    second = parse_request(head, *LIMITS, first)
    assert second.meaning is first.meaning
    assert (first.authorization, second.authorization) == (b"Bearer a", b"Bearer bc")
    assert second.authorization_line == b"Authorization: Bearer bc "


@pytest.mark.parametrize("line", [b"X-A: \x01", b"X-A: a\rb", b"X-A: a\nb", b"X-A : 1", b"X-A", b"X A: 1", b" X-A: 1"])
def test_a_line_that_is_refused_is_refused_behind_a_good_head_of_the_same_fields(line: bytes) -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\n\r\n", *LIMITS)
    with pytest.raises(BadRequest):
        parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\n" + line + b"\r\n\r\n", *LIMITS, first)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        (b"Host: shop.example", b"Host: mail.example"),
        (b"Host: shop.example\r\nContent-Length: 3", b"Host: shop.example\r\nContent-Length: 4"),
        (b"Host: shop.example\r\nContent-Length: 3", b"Host: shop.example"),
        (b"Host: shop.example\r\nConnection: keep-alive", b"Host: shop.example\r\nConnection: close"),
        (b"Host: shop.example\r\nAuthorization: Bearer a", b"Host: shop.example\r\nAuthorization: Bearer b"),
        (b"Host: shop.example\r\nAuthorization: Bearer a", b"Host: shop.example\r\nAuthorization: Bearer ab"),
        (b"Host: shop.example\r\nContent-Length: 3", b"Host: shop.example\r\nContent-Length: 35"),
        (b"Host: shop.example", b"Host: shop.example.org"),
    ],
)
def test_another_value_of_a_field_that_means_something_is_read(line: bytes, other: bytes) -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\n" + line + b"\r\n\r\n", *LIMITS)
    head = b"GET /a HTTP/1.1\r\n" + other + b"\r\n\r\n"
    assert read(head, first) == read(head, None)


@pytest.mark.parametrize("end", [b"\r", b"\n"])
def test_a_line_that_ends_with_cr_or_lf_alone_is_refused_behind_a_good_head_of_the_same_fields(end: bytes) -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\nX-B: 2\r\n\r\n", *LIMITS)
    with pytest.raises(BadRequest):
        parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX-A: 3" + end + b"X-B: 2\r\n\r\n", *LIMITS, first)


def test_repeated_fields_are_not_parsed_again() -> None:
    first = parse_request(b"GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n", *LIMITS)
    second = parse_request(b"GET /b?c HTTP/1.1\r\nHost: shop.example\r\n\r\n", *LIMITS, first)
    assert second.fields is first.fields
    assert (second.path, second.query, first.path) == (b"/b", b"?c", b"/a")


def test_a_long_header_section_is_not_kept_for_the_next_request() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX: " + b"x" * 4096 + b"\r\n\r\n"
    first = parse_request(head, *LIMITS)
    assert first.after == b""
    assert parse_request(head, *LIMITS, first).fields is not first.fields
