"""H3, H4, H5: what the gateway does not know passes as it is (RFC 9110 §5, §7.6)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

METHODS = [
    b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PURGE", b"PROPFIND", b"M-SEARCH", b"QUERY",
    b"BREW", b"get", b"X", b"!#$%&'*+-.^_`|~0a", b"A" * 40, b"PRI",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_method_passes_known_or_not_with_and_without_a_body_H3(client: Client, origin: Script, method: bytes) -> None:
    assert forwarded(client, origin, message(method + b" /a HTTP/1.1", HOST)).method == method
    assert client.ask(message(method + b" /a HTTP/1.1", HOST, b"Content-Length: 6", body=b"coffee")).status == 200
    assert (origin.requests[1].method, origin.requests[1].body) == (method, b"coffee")


ANY_FIELD = [
    b"X-MiXeD-CaSe: 1", b"x-lower: 1", b"!#$%&'*+-.^`|~0a: odd but legal", b"1: digit", b"X-Long: " + b"v" * 30_000,
    b"X-" + b"n" * 500 + b": long name", b'X-Quoted: "a, b\\" c", \'d\'', b"X-Colon: a:b:c", b"X-Tab: a\tb",
    b"X-Spaces: a   b", b"X-Empty: ", b"X-Also-Empty:", b"X-Obs: caf\xe9 \x80\xff", b"X-Utf8: caf\xc3\xa9",
    b"X-Around: \t  a b \t ", b"Content-Type: multipart/form-data; boundary=----x", b"Content-Language: de",
    b"Content-MD5: Q2hlY2s=", b"Digest: sha-256=x", b"Content-Encoding: gzip", b"Priority: u=1, i",
]  # fmt: skip
REQUEST_FIELDS = [
    b"Accept: text/html;q=0.9, */*", b"User-Agent: test (comment (nested))", b"Referer: http://other.example/a?b",
    b"Authorization: Bearer abc.def.ghi", b'Cookie: a=1; b="2"; c', b"Accept-Language: de, en;q=0.5",
    b"Origin: https://shop.example", b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    b"Early-Data: 1", b"DNT: 1", b"From: a@b.example", b'Idempotency-Key: "8e03978e"', b"Sec-Fetch-Mode: cors",
    b"Content-Range: bytes 0-4/10", b"Content-Location: /x",
]  # fmt: skip
RESPONSE_FIELDS = [
    b"Server: U/1.0 (unknown)", b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Vary: Accept, Origin", b"Expires: 0",
    b"Age: 12",
    b"Cache-Control: no-store, max-age=0", b'Warning: 199 - "x"', b'WWW-Authenticate: Basic realm="a, b", Bearer',
    b"Content-Security-Policy: default-src 'self'", b"Strict-Transport-Security: max-age=1", b"Retry-After: 120",
    b"Access-Control-Allow-Origin: *", b"Allow: GET, BREW", b"Link: </a>; rel=preload", b"X-Powered-By: Express",
    b"Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac", b"X_Under: score", b"Server-Timing: db;dur=53",
    b"Accept-Ranges: bytes",
]  # fmt: skip


def as_fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value.strip(b" \t")) for name, value in (line.split(b":", 1) for line in lines)]


def test_fields_pass_byte_for_byte_and_in_order_9110_5_1(client: Client, origin: Script) -> None:
    wanted, told = as_fields([*ANY_FIELD, *REQUEST_FIELDS]), as_fields([*ANY_FIELD, *RESPONSE_FIELDS])
    origin.answers(ok(*ANY_FIELD, *RESPONSE_FIELDS))
    answer = client.ask(get(b"/", *ANY_FIELD, *REQUEST_FIELDS))
    assert [pair for pair in origin.only.fields if pair in wanted] == wanted
    assert [pair for pair in answer.fields if pair in told] == told


@pytest.mark.parametrize(
    "status", [b"200 ", b"200 A  b\tc", b"299 caf\xe9", b"418 I'm a teapot", b"499 Odd", b"599 Own"]
)
def test_a_status_passes_with_its_reason_and_body_H3(client: Client, origin: Script, status: bytes) -> None:
    origin.answers(ok(body=b"the body", status=status))
    answer = client.ask(get())
    assert (answer.start, answer.body, answer.error) == (b"HTTP/1.1 " + status, b"the body", None)


def test_every_status_passes_and_beyond_599_or_is_502_9110_15(client: Client, origin: Script) -> None:
    for status in [*range(200, 204), *range(206, 304), *range(305, 600), 600, 999]:
        origin.answers(ok(status=b"%d X" % status))
        answer = client.ask(get())
        assert (answer.status, answer.body) == (status, b"ok") or (status > 599 and answer.error)


@pytest.mark.parametrize(
    "name", [b"X-Multi", b"Accept", b"Cookie", b"Cache-Control", b"Vary", b"WWW-Authenticate", b"Link"]
)
def test_lines_of_one_name_keep_their_order_9110_5_3(client: Client, origin: Script, name: bytes) -> None:
    lines = [name + b": a=1", b"X-Other: 1", name.lower() + b": b=2", name + b": a=1"]
    origin.answers(ok(*lines))
    answer = client.ask(get(b"/", *lines))
    for head, glue in ((origin.only, b"; " if name == b"Cookie" else b", "), (answer, b", ")):
        assert glue.join(head.all(name)) == glue.join([b"a=1", b"b=2", b"a=1"])


@pytest.mark.parametrize("byte", [b"\0", b"\r", b"\n"], ids=["NUL", "CR", "LF"])
def test_cr_lf_and_nul_in_a_response_value_are_502_9110_5_5(client: Client, origin: Script, byte: bytes) -> None:
    origin.answers(ok(b"X-A: a" + byte + b"b", b"X-B: 1"), close=True)
    answer = client.ask(get())
    assert (answer.status, answer.error is not None) == (502, True) or answer.get(b"x-a") == b"a b"


def test_150_fields_pass_both_ways_H3(client: Client, origin: Script) -> None:
    lines = [b"X-%d: %d" % (n, n) for n in range(150)]
    origin.answers(ok(*lines))
    answer = client.ask(get(b"/", *lines))
    for head in (origin.only, answer):
        assert [pair for pair in head.fields if pair in as_fields(lines)] == as_fields(lines)
