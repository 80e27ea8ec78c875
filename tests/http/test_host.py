"""H8, T6: the Host field (RFC 9112 §3.2, RFC 9110 §4.2.4, §7.2)."""

import pytest

from tests.http.client import Client
from tests.http.message import get, message
from tests.http.origin import Script
from tests.http.verdicts import forwarded, refused_or_forwarded


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
