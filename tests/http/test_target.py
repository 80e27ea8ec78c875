"""T1 to T5: the request target (RFC 9110 §7.7, RFC 9112 §3.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message
from tests.http.origin import Script
from tests.http.verdicts import forwarded, refused

TARGETS = [
    b"/", b"//", b"///", b"/a", b"/a/", b"/a//b", b"//a/b", b"/a%2Fb", b"/a%2fb", b"/%2e%2e", b"/a/../b", b"/..",
    b"/./a", b"/a/.", b"/a/%2E%2e/b", b"/a%2Fb/..%2f/%2e%2e//d", b"/a;p=1", b"/a;p=1/b;q", b"/a%20b", b"/a+b",
    b"/%zz", b"/%", b"/%2", b"/a%00b", b"/a%0d%0ab", b"/a?", b"/?", b"/a?b", b"/a?b=1&b=2&b=1", b"/a?b=c%20d+e",
    b"/a??", b"/a?b?c", b"/a?/..//%2F", b"/a?%zz", b"/a?x=[1]&y={2}", b"/a?q='\"<>", b"/~user", b"/a|b", b"/a^b",
    b"/a`b", b"/{a}", b"/[a]", b"/a\\b", b"/a:b@c", b"/@", b"/a,b", b"/a=b&c", b"/!$&'()*+,;=", b"/%E2%82%AC",
    b"/%e2%82%ac", b"/a%5Cb", b"/a?http://other.example/b", b"/http://x/y", b"/a?b=%23", b"/?a=1;b=2", b"/*", b"/a*",
    b"/" + b"a" * 4000, b"/a?" + b"b" * 8000, b"/%2f%2f", b"/A%41",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:30].decode())
def test_path_and_query_pass_byte_for_byte_9110_7_7(client: Client, origin: Script, target: bytes) -> None:
    assert forwarded(client, origin, get(target)).target == target


@pytest.mark.parametrize("target", [b"/caf\xc3\xa9", b"/caf\xe9", b"/?q=\xff", b"/\x80"])
def test_bytes_beyond_ascii_in_a_target_are_400_9112_3(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target))


@pytest.mark.parametrize(
    "target", [b"/a\x7f", b"/a\x01b", b"/\x1b[31m", b"/a\tb", b"/a\x0bb", b"/a\x0cb", b"/a\x00", b"/a\rb", b"/a\nb"]
)
def test_controls_in_a_target_are_400_9112_3_2(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target))


@pytest.mark.parametrize(
    "target",
    [
        b"/strict/a%2Fb", b"/strict/a%2fb", b"/strict/..", b"/strict/a/../b", b"/strict/%2e%2e/a", b"/strict/a%5Cb",
        b"/strict/a%00", b"/strict/a\\b", b"/strict/.%2E/",
    ],
)  # fmt: skip
def test_an_ambiguous_path_is_refused_where_the_route_says_so_T2(client: Client, origin: Script, target: bytes) -> None:
    answer = client.ask(get(target))
    assert answer.status == 400
    assert answer.error
    assert not origin.requests


@pytest.mark.parametrize(
    "target", [b"/strict/a", b"/strict/a%20b", b"/strict/a.b", b"/strict/a..b", b"/strict/...", b"/strict/a?b=../%2F\\"]
)
def test_a_plain_path_passes_on_such_a_route_T2(client: Client, origin: Script, target: bytes) -> None:
    assert forwarded(client, origin, get(target)).target == target


@pytest.mark.parametrize("target", [b"/own-host/..%2fx", b"/own-host/a%2Fb"])
def test_the_bytes_that_were_matched_are_forwarded_T2(client: Client, origin: Script, target: bytes) -> None:
    assert forwarded(client, origin, get(target)).target == target


def test_the_base_path_of_a_service_comes_before_the_target_bytes_T1(client: Client, origin: Script) -> None:
    assert forwarded(client, origin, get(b"/based/a%2Fb//?x=%zz")).target == b"/base/path/based/a%2Fb//?x=%zz"


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"http://shop.example/a", b"/a"),
        (b"http://shop.example/", b"/"),
        (b"http://shop.example", b"/"),
        (b"http://shop.example?x=1", b"/?x=1"),
        (b"http://shop.example/a%2Fb/../c?d=%zz", b"/a%2Fb/../c?d=%zz"),
        (b"http://shop.example//b", b"//b"),
        (b"HTTP://shop.example/a", b"/a"),
        (b"http://shop.example:80/a", b"/a"),
        (b"https://shop.example/a", b"/a"),
        (b"http://[::1]:80/a", b"/a"),
        (b"http://shop.example/http://b/c", b"/http://b/c"),
    ],
)
def test_absolute_form_is_accepted_and_becomes_origin_form_9112_3_2_2(
    client: Client, origin: Script, target: bytes, seen: bytes
) -> None:
    assert forwarded(client, origin, get(target)).target == seen


@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"HEAD", b"PURGE"])
def test_absolute_form_is_accepted_with_any_method_9112_3_2_2(client: Client, origin: Script, method: bytes) -> None:
    request = forwarded(client, origin, message(method + b" http://shop.example/a HTTP/1.1", HOST))
    assert request.start == method + b" /a HTTP/1.1"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://other.example/a", b"other.example"),
        (b"http://other.example:8080/a", b"other.example:8080"),
        (b"http://OTHER.example/", b"OTHER.example"),
        (b"http://other.example", b"other.example"),
        (b"http://other.example?q", b"other.example"),
        (b"https://other.example/", b"other.example"),
        (b"http://[::1]:8080/a", b"[::1]:8080"),
    ],
)
def test_the_host_of_an_absolute_form_replaces_the_field_9112_3_2_2(
    client: Client, origin: Script, target: bytes, host: bytes
) -> None:
    request = forwarded(client, origin, get(target))
    assert (request.get(b"host") or b"").lower() == host.lower()
    assert (request.get(b"x-forwarded-host") or b"").lower() == host.lower()


def test_absolute_form_in_http_1_0_needs_no_host_field_9112_3_2_2(client: Client, origin: Script) -> None:
    client.send(b"GET http://other.example/a HTTP/1.0\r\n\r\n")
    assert client.answer(version=b"1.0").status == 200
    assert (origin.only.target, origin.only.get(b"host")) == (b"/a", b"other.example")


def test_absolute_form_in_http_1_1_does_not_excuse_a_missing_host_9112_3_2(client: Client, origin: Script) -> None:
    refused(client, origin, b"GET http://shop.example/ HTTP/1.1\r\n\r\n")


def test_routing_goes_by_the_path_of_an_absolute_form_9112_3_2_2(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"http://shop.example/based/x"))
    assert request.target == b"/base/path/based/x"


@pytest.mark.parametrize(
    "target",
    [
        b"http:///a", b"http://", b"http:/a", b"http:a", b"http://user@shop.example/",
        b"http://user:pw@shop.example/", b"http://@/", b"http://a b/", b"http://shop.example:x/", b"http://[::1/",
        b"://shop.example/", b"http://sh\\op/", b"http://shop.example#f", b"http://shop.example/#f", b"http://a,b@c/",
        b"http://:80/",
    ],
)  # fmt: skip
def test_an_invalid_absolute_form_is_400_9112_3_2_2(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target))


@pytest.mark.parametrize(
    "target", [b"ftp://shop.example/a", b"ws://shop.example/", b"urn:a:b", b"mailto:a@b.example", b"file:///etc/passwd"]
)
def test_another_scheme_is_refused_9110_7_4(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target), 400, 404, 421, 501)


def test_options_asterisk_is_answered_or_forwarded_as_it_is_9112_3_2_4(client: Client, origin: Script) -> None:
    answer = client.ask(message(b"OPTIONS * HTTP/1.1", HOST))
    assert answer.status in (200, 204)
    assert all(request.target == b"*" for request in origin.requests)


def test_options_of_a_bare_authority_is_the_asterisk_form_9112_3_2_4(client: Client, origin: Script) -> None:
    answer = client.ask(message(b"OPTIONS http://shop.example HTTP/1.1", HOST))
    assert answer.status in (200, 204)
    assert all(request.target == b"*" for request in origin.requests)


@pytest.mark.parametrize(
    ("target", "seen"),
    [(b"http://shop.example/", b"/"), (b"http://shop.example/a", b"/a"), (b"http://shop.example?x", b"/?x")],
)
def test_options_of_a_path_is_not_the_asterisk_form_9112_3_2_4(
    client: Client, origin: Script, target: bytes, seen: bytes
) -> None:
    assert forwarded(client, origin, message(b"OPTIONS " + target + b" HTTP/1.1", HOST)).target == seen


@pytest.mark.parametrize(
    "line", [b"GET * HTTP/1.1", b"POST * HTTP/1.1", b"TRACE * HTTP/1.1", b"OPTIONS ** HTTP/1.1", b"OPTIONS *a HTTP/1.1"]
)
def test_the_asterisk_is_for_options_alone_9112_3_2_4(client: Client, origin: Script, line: bytes) -> None:
    refused(client, origin, message(line, HOST), 400, 405, 501)


@pytest.mark.parametrize(
    "target", [b"shop.example:443", b"127.0.0.1:22", b"[::1]:443", b"/", b"http://shop.example/", b"shop.example", b"*"]
)
def test_connect_is_refused_9110_9_3_6(client: Client, origin: Script, target: bytes) -> None:
    answer = refused(
        client, origin, message(b"CONNECT " + target + b" HTTP/1.1", b"Host: shop.example:443"), 400, 405, 501
    )
    assert answer.status != 405 or answer.all(b"allow")


def test_connect_to_an_authority_is_405_or_501_9110_9_3_6(client: Client, origin: Script) -> None:
    refused(client, origin, message(b"CONNECT shop.example:443 HTTP/1.1", b"Host: shop.example:443"), 405, 501)


@pytest.mark.parametrize(
    "target", [b"shop.example:80", b"shop.example", b"a/b", b"?q", b"a", b".", b"%2Fa", b"\\a", b";", b"+"]
)
def test_a_target_of_no_form_is_400_9112_3_2(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target))


@pytest.mark.parametrize("target", [b"/a#f", b"/#", b"/a?b#c", b"/a#f?b", b"#", b"/a%23b#c"])
def test_a_fragment_in_the_target_is_400_9112_3_2_1(client: Client, origin: Script, target: bytes) -> None:
    refused(client, origin, get(target))
