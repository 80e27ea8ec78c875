"""T1 to T6, H8: the request target and the Host field (RFC 9110 §4.2.4, §7.2, §7.7, RFC 9112 §3.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message
from tests.http.origin import Script
from tests.http.verdicts import forwarded, refused_or_forwarded

TARGETS = [
    b"/", b"//a//b/", b"/a%2Fb/..%2f/%2e%2E//d", b"/a/../b/./c/..", b"/a;p=1/b;q", b"/a%20b+c", b"/%zz%",
    b"/a%00%0d%0ab",
    b"/a?", b"/a?b=1&b=2&b=1", b"/a??b?c", b"/a?/..//%2F%zz", b"/a?q='\"<>[1]{2}", b"/a|b^c`d{e}[f]\\g", b"/@a:b,c=d&e",
    b"/~!$&'()*+,;=", b"/%E2%82%ac", b"/a?http://other.example/b", b"/http://x/y", b"/?a=%23", b"/*",
    b"/" + b"a" * 4000, b"/a?" + b"b" * 8000, b"/own-host/..%2fx", b"/strict/a%20b", b"/strict/...",
    b"/strict/a?b=../%2F\\",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:30].decode())
def test_path_and_query_pass_byte_for_byte_9110_7_7(client: Client, origin: Script, target: bytes) -> None:
    assert forwarded(client, origin, get(target)).target == target


@pytest.mark.parametrize(
    "target", [b"a%2Fb", b"..", b"a/../b", b"%2e%2e/a", b"a%5Cb", b"a%00", b"a\\b", b".%2E/"], ids=repr
)
def test_an_ambiguous_path_is_refused_where_the_route_says_so_T2(client: Client, origin: Script, target: bytes) -> None:
    answer = client.ask(get(b"/strict/" + target))
    assert (answer.status, answer.error is not None) == (400, True)
    assert not origin.requests


@pytest.mark.parametrize(
    ("target", "seen", "host"),
    [
        (b"http://shop.example/a%2Fb/../c?d=%zz", b"/a%2Fb/../c?d=%zz", b"shop.example"),
        (b"http://other.example", b"/", b"other.example"),
        (b"HTTP://OTHER.example:8080?x=1", b"/?x=1", b"OTHER.example:8080"),
        (b"https://[::1]:80//b/http://c/d", b"//b/http://c/d", b"[::1]:80"),
        (b"http://other.example/based/x", b"/base/path/based/x", b"other.example"),
        (b"/based/a%2Fb//?x=%zz", b"/base/path/based/a%2Fb//?x=%zz", b"shop.example"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"PURGE"])
def test_absolute_form_becomes_origin_form_and_its_host_the_field_9112_3_2_2(
    client: Client, origin: Script, method: bytes, target: bytes, seen: bytes, host: bytes
) -> None:
    request = forwarded(client, origin, message(method + b" " + target + b" HTTP/1.1", HOST))
    assert request.start == method + b" " + seen + b" HTTP/1.1"
    for name in (b"host", b"x-forwarded-host"):
        assert (request.get(name) or b"").lower() == host.lower()


def test_absolute_form_in_http_1_0_needs_no_host_field_9112_3_2_2(client: Client, origin: Script) -> None:
    client.send(b"GET http://other.example/a HTTP/1.0\r\n\r\n")
    assert client.answer(version=b"1.0").status == 200
    assert (origin.only.target, origin.only.get(b"host")) == (b"/a", b"other.example")


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"*", b"*"),
        (b"http://shop.example", b"*"),
        (b"http://shop.example/", b"/"),
        (b"http://shop.example?x", b"/?x"),
    ],
)
def test_options_of_a_bare_authority_is_the_asterisk_form_9112_3_2_4(
    client: Client, origin: Script, target: bytes, seen: bytes
) -> None:
    assert client.ask(message(b"OPTIONS " + target + b" HTTP/1.1", HOST)).status in (200, 204)
    assert all(request.target == seen for request in origin.requests)
    assert origin.requests or seen == b"*"


@pytest.mark.parametrize(
    "host", [b"SHOP.Example:8080", b"127.0.0.1", b"[2001:db8::7]:80", b"a_b.example", b"a.", b"%41"]
)
def test_a_valid_host_is_preserved_as_sent_H8(client: Client, origin: Script, host: bytes) -> None:
    request = forwarded(client, origin, message(b"GET / HTTP/1.1", b"A: 1", b"hOsT:" + host, b"C: 3"))
    assert (request.get(b"host"), request.get(b"x-forwarded-host")) == (host, host)


def test_http_1_0_without_host_passes_9112_3_2(client: Client, origin: Script) -> None:
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    assert client.answer(version=b"1.0").status == 200
    assert origin.only.target == b"/old"


def test_an_empty_host_is_refused_or_passes_9112_3_2(client: Client, origin: Script) -> None:
    request = refused_or_forwarded(client, origin, message(b"GET / HTTP/1.1", b"Host:"))
    assert request is None or len(request.all(b"host")) == 1


def test_host_upstream_sends_the_services_own_authority_H8(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/own-host/a"))
    assert request.get(b"host") == b"127.0.0.1:%d" % origin.port
    assert request.get(b"x-forwarded-host") == b"shop.example"
