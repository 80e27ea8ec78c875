"""H3, H4, H5: what the gateway does not know passes as it is (RFC 9110 §5, §7.6)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded, refused, refused_or_forwarded

METHODS = [
    b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS",
    b"PURGE", b"PROPFIND", b"MKCOL", b"LOCK", b"M-SEARCH", b"REPORT", b"LINK", b"QUERY", b"SEARCH",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_known_method_passes_H3(client: Client, origin: Script, method: bytes) -> None:
    assert forwarded(client, origin, message(method + b" /a HTTP/1.1", HOST)).method == method


@pytest.mark.parametrize("method", [b"BREW", b"get", b"Get", b"X", b"GETGET", b"!#$%&'*+-.^_`|~0a", b"A" * 40, b"PRI"])
def test_an_unknown_method_passes_as_sent_or_is_501_9110_9_1(client: Client, origin: Script, method: bytes) -> None:
    request = refused_or_forwarded(client, origin, message(method + b" /a HTTP/1.1", HOST), 501, 400)
    assert request is None or request.method == method


def test_an_unknown_method_with_a_body_passes_with_it_9110_9_1(client: Client, origin: Script) -> None:
    raw = message(b"BREW /pot HTTP/1.1", HOST, b"Content-Length: 6", body=b"coffee")
    request = refused_or_forwarded(client, origin, raw, 501)
    assert request is None or request.body == b"coffee"


@pytest.mark.parametrize("method", [b"GE(T", b"G@T", b'"GET"', b"GET\x01", b"G\xc9T", b"GET,", b"{}", b"GET/"])
def test_a_method_that_is_no_token_is_400_9110_5_6_2(client: Client, origin: Script, method: bytes) -> None:
    refused(client, origin, message(method + b" / HTTP/1.1", HOST), 400, 501)


@pytest.mark.parametrize(
    "line",
    [
        b"X-Weird: 1",
        b"x-lower: 1",
        b"X-MiXeD-CaSe: 1",
        b"!#$%&'*+-.^`|~0a: odd but legal",
        b"1: digit",
        b"X-Long: " + b"v" * 30_000,
        b"X-" + b"n" * 500 + b": long name",
        b'X-Quoted: "a, b\\" c", \'d\'',
        b"X-Colon: a:b:c",
        b"X-Tab: a\tb",
        b"X-Spaces: a   b",
        b"X-Empty: ",
        b"X-Empty:",
        b"X-Obs: caf\xe9 \x80\xff",
        b"X-Utf8: caf\xc3\xa9",
        b"Accept: text/html;q=0.9, */*",
        b"User-Agent: test (comment (nested))",
        b"Referer: http://other.example/a?b",
        b"Authorization: Bearer abc.def.ghi",
        b'Cookie: a=1; b="2"; c',
        b"Content-Type: multipart/form-data; boundary=----x",
        b"Accept-Language: de, en;q=0.5",
        b"Origin: https://shop.example",
        b"Priority: u=1, i",
        b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"Early-Data: 1",
        b"DNT: 1",
        b"From: a@b.example",
        b'Idempotency-Key: "8e03978e"',
        b"Sec-Fetch-Mode: cors",
    ],
)
def test_a_request_field_passes_byte_for_byte_9110_5_1(client: Client, origin: Script, line: bytes) -> None:
    request = forwarded(client, origin, get(b"/", line))
    name, value = line.split(b":", 1)
    assert (name, value.strip(b" \t")) in request.fields


@pytest.mark.parametrize(
    "line",
    [
        b"X-Weird: 1",
        b"x-lower: 1",
        b"!#$%&'*+-.^_`|~0a: odd but legal",
        b"X-Long: " + b"v" * 30_000,
        b"X-Empty:",
        b"X-Tab: a\tb",
        b"X-Obs: caf\xe9 \x80\xff",
        b"Server: U/1.0 (unknown)",
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT",
        b"Vary: Accept, Origin",
        b"Cache-Control: no-store, max-age=0",
        b"Expires: 0",
        b"Age: 12",
        b'Warning: 199 - "x"',
        b'WWW-Authenticate: Basic realm="a, b", Bearer',
        b"Content-Security-Policy: default-src 'self'",
        b"Strict-Transport-Security: max-age=1",
        b"Access-Control-Allow-Origin: *",
        b"Retry-After: 120",
        b"Allow: GET, BREW",
        b"Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac",
        b"Link: </a>; rel=preload",
        b"X-Powered-By: Express",
        b"X_Under: score",
        b"Server-Timing: db;dur=53",
        b"Accept-Ranges: bytes",
    ],
)
def test_a_response_field_passes_byte_for_byte_9110_5_1(client: Client, origin: Script, line: bytes) -> None:
    origin.answers(ok(line))
    name, value = line.split(b":", 1)
    assert [v for n, v in client.ask(get()).fields if n == name] == [value.strip(b" \t")]


@pytest.mark.parametrize(
    "status",
    [
        b"200 OK", b"200 ", b"201 Created", b"202 Accepted", b"203 Non-Authoritative", b"207 Multi-Status",
        b"218 This is fine", b"226 IM Used", b"299 Whatever", b"300 Multiple", b"400 Bad Request",
        b"401 Unauthorized", b"404 Not Found", b"405 Method Not Allowed", b"418 I'm a teapot", b"421 Misdirected",
        b"429 Too Many", b"431 Too large", b"451 Legal", b"499 Odd", b"500 Oops", b"501 Not Implemented",
        b"502 Bad Gateway", b"503 Busy", b"504 Late", b"599 Own", b"200 caf\xe9", b"200 A  b\tc",
    ],
)  # fmt: skip
def test_a_status_passes_with_its_body_H3(client: Client, origin: Script, status: bytes) -> None:
    origin.answers(ok(body=b"the body", status=status))
    answer = client.ask(get())
    assert answer.status == int(status[:3])
    assert answer.body == b"the body"
    assert answer.error is None


def test_the_reason_phrase_passes_H3(client: Client, origin: Script) -> None:
    origin.answers(ok(status=b"299 Fine Enough"))
    assert client.ask(get()).start == b"HTTP/1.1 299 Fine Enough"


@pytest.mark.parametrize("status", [b"600 Odd", b"999 Odder"])
def test_a_status_beyond_599_passes_or_is_502_9110_15(client: Client, origin: Script, status: bytes) -> None:
    origin.answers(ok(status=status))
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"


@pytest.mark.parametrize("name", [b"X-Multi", b"Accept", b"Cookie", b"Accept-Encoding", b"Cache-Control", b"If-Match"])
def test_request_lines_of_one_name_keep_their_order_9110_5_3(client: Client, origin: Script, name: bytes) -> None:
    lines = [name + b": a=1", b"X-Other: 1", name.lower() + b": b=2", name + b": a=0"]
    request = forwarded(client, origin, get(b"/", *lines))
    glue = b"; " if name == b"Cookie" else b", "
    assert glue.join(request.all(name)) == glue.join([b"a=1", b"b=2", b"a=0"])


def test_request_fields_of_different_names_keep_their_order_9110_5_3(client: Client, origin: Script) -> None:
    names = [b"Zeta", b"Alpha", b"Midd", b"alpha-2", b"Zeta-2"]
    request = forwarded(client, origin, get(b"/", *(name + b": 1" for name in names)))
    assert [name for name, _ in request.fields if name in names] == names


@pytest.mark.parametrize("name", [b"X-Multi", b"Vary", b"WWW-Authenticate", b"Link", b"Cache-Control", b"Warning"])
def test_response_lines_of_one_name_keep_their_order_9110_5_3(client: Client, origin: Script, name: bytes) -> None:
    origin.answers(ok(name + b": a", b"X-Other: 1", name.lower() + b": b", name + b": a"))
    assert b", ".join(client.ask(get()).all(name)) == b"a, b, a"


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_set_cookie_lines_are_never_merged_9110_5_3(client: Client, origin: Script, count: int) -> None:
    cookies = [b"c%d=%d; Path=/; Expires=Wed, 09 Jun 2027 10:18:14 GMT" % (n, n) for n in range(count)]
    origin.answers(ok(*(b"Set-Cookie: " + cookie for cookie in cookies)))
    assert client.ask(get()).all(b"set-cookie") == cookies


def test_equal_set_cookie_lines_all_pass_9110_5_3(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Set-Cookie: a=1", b"X: 1", b"set-cookie: a=1", b"SET-COOKIE: "))
    assert client.ask(get()).all(b"set-cookie") == [b"a=1", b"a=1", b""]


def test_white_space_around_a_value_is_no_part_of_it_9110_5_5(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"X-A: \t  a b \t "))
    assert request.get(b"x-a") == b"a b"


@pytest.mark.parametrize("byte", [b"\0", b"\r", b"\n"], ids=["NUL", "CR", "LF"])
@pytest.mark.parametrize("place", [b"a%sb", b"%sa", b"a%s"], ids=["within", "before", "after"])
def test_cr_lf_and_nul_in_a_request_value_are_refused_9110_5_5(
    client: Client, origin: Script, byte: bytes, place: bytes
) -> None:
    refused(client, origin, get(b"/", b"X-A: " + place % byte + b"Z" * (place == b"%sa"), b"X-B: 1"))


@pytest.mark.parametrize("byte", [b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1f", b"\x7f"])
def test_other_controls_in_a_request_value_are_refused_or_kept_9110_5_5(
    client: Client, origin: Script, byte: bytes
) -> None:
    origin.lints = False
    client.send(get(b"/", b"X-A: a" + byte + b"b"))
    answer = client.answer()
    assert answer.status == 400
    assert client.ends()


@pytest.mark.parametrize("byte", [b"\0", b"\r", b"\n"], ids=["NUL", "CR", "LF"])
def test_cr_lf_and_nul_in_a_response_value_are_502_9110_5_5(client: Client, origin: Script, byte: bytes) -> None:
    origin.answers(ok(b"X-A: a" + byte + b"b", b"X-B: 1"), close=True)
    answer = client.ask(get())
    assert (answer.status, answer.error is not None) == (502, True) or answer.get(b"x-a") == b"a b"


def test_150_fields_pass_both_ways_H3(client: Client, origin: Script) -> None:
    lines = [b"X-%d: %d" % (n, n) for n in range(150)]
    origin.answers(ok(*lines))
    client.send(get(b"/", *lines))
    answer = client.answer()
    for head in (origin.only, answer):
        assert [
            b"%s: %s" % pair for pair in head.fields if pair[0].startswith(b"X-") and pair[0][2:].isdigit()
        ] == lines
