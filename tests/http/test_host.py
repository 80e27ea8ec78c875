"""H8, T6: the Host field (RFC 9112 §3.2, RFC 9110 §4.2.4, §7.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import get, message
from tests.http.origin import Script
from tests.http.verdicts import forwarded, refused, refused_or_forwarded

VALID = [
    b"shop.example", b"SHOP.Example", b"shop.example:80", b"shop.example:8080", b"127.0.0.1", b"127.0.0.1:1",
    b"[::1]", b"[::1]:8080", b"[2001:db8::7]", b"a_b.example", b"xn--bcher-kva.example", b"a", b"a-b.c-d",
    b"shop.example.", b"%41.example",
]  # fmt: skip


@pytest.mark.parametrize("host", VALID)
def test_a_valid_host_is_preserved_as_sent_H8(client: Client, origin: Script, host: bytes) -> None:
    request = forwarded(client, origin, message(b"GET / HTTP/1.1", b"Host: " + host))
    assert request.get(b"host") == host
    assert request.get(b"x-forwarded-host") == host


@pytest.mark.parametrize(
    "host",
    [
        b"user@shop.example", b"user:password@shop.example", b"@shop.example", b"shop.example@", b"a@b:80",
        b"shop.example/path", b"shop.example?q", b"shop.example#f", b"http://shop.example", b"a b", b"a\tb",
        b"shop.example, other.example", b"shop.example:port", b"shop.example:80:80", b"shop.example:-1",
        b"shop.example:+80", b"[::1", b"::1", b"[::1]x", b"[g::1]", b"caf\xc3\xa9.example", b"a\\b",
        b"a<b>", b"a\"b", b"a%zz", b"{a}", b"a|b", b"a^b", b"a`b",
    ],
)  # fmt: skip
def test_an_invalid_host_is_400_9112_3_2(client: Client, origin: Script, host: bytes) -> None:
    refused(client, origin, message(b"GET / HTTP/1.1", b"Host: " + host), 400)


def test_http_1_1_without_host_is_400_9112_3_2(client: Client, origin: Script) -> None:
    refused(client, origin, b"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", 400)


def test_http_1_1_with_no_field_at_all_is_400_9112_3_2(client: Client, origin: Script) -> None:
    refused(client, origin, b"GET / HTTP/1.1\r\n\r\n", 400)


@pytest.mark.parametrize(
    "second", [b"Host: shop.example", b"Host: evil.example", b"host: shop.example", b"HOST:", b"Host:"]
)
@pytest.mark.parametrize("order", [1, -1])
def test_two_host_lines_are_400_though_equal_9112_3_2(
    client: Client, origin: Script, second: bytes, order: int
) -> None:
    lines = [b"Host: shop.example", b"X-Between: 1", second][::order]
    refused(client, origin, message(b"GET / HTTP/1.1", *lines), 400)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_absolute_form_does_not_excuse_two_hosts_9112_3_2(client: Client, origin: Script, version: bytes) -> None:
    client.send(message(b"GET http://a.example/ HTTP/" + version, b"Host: a.example", b"Host: a.example"))
    assert client.answer(version=version).status == 400
    assert client.ends()
    assert not origin.requests


def test_http_1_0_with_two_hosts_is_400_9112_3_2(client: Client, origin: Script) -> None:
    client.send(message(b"GET / HTTP/1.0", b"Host: a", b"Host: b"))
    assert client.answer(version=b"1.0").status == 400
    assert not origin.requests


def test_http_1_0_without_host_passes_9112_3_2(client: Client, origin: Script) -> None:
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    assert client.answer(version=b"1.0").status == 200
    assert origin.only.target == b"/old"


def test_an_empty_host_is_refused_or_passes_9112_3_2(client: Client, origin: Script) -> None:
    request = refused_or_forwarded(client, origin, message(b"GET / HTTP/1.1", b"Host:"))
    assert request is None or len(request.all(b"host")) == 1


def test_a_host_between_other_fields_counts_9112_3_2(client: Client, origin: Script) -> None:
    lines = [b"A: 1", b"B: 2", b"hOsT:shop.example", b"C: 3"]
    assert forwarded(client, origin, message(b"GET / HTTP/1.1", *lines)).get(b"host") == b"shop.example"


def test_a_host_with_a_space_before_the_colon_is_400_9112_5_1(client: Client, origin: Script) -> None:
    refused(client, origin, message(b"GET / HTTP/1.1", b"Host : shop.example"), 400)


def test_host_upstream_sends_the_services_own_authority_H8(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/own-host/a"))
    assert request.get(b"host") == b"127.0.0.1:%d" % origin.port
    assert request.get(b"x-forwarded-host") == b"shop.example"
