"""H7: who sent a request is what the gateway saw, unless a trusted proxy tells (RFC 7239 §8, gateway.md H7)."""

import socket

import pytest

from tests.http.client import Client, connect
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

LIES = [
    b"X-Forwarded-For: 6.6.6.6",
    b"x-forwarded-for: 6.6.6.6",
    b"X_Forwarded_For: 6.6.6.6",
    b"X-Forwarded_For: 6.6.6.6",
    b"x_forwarded-for: 6.6.6.6",
    b"X-Forwarded-Host: 6.6.6.6",
    b"X_Forwarded_Host: 6.6.6.6",
    b"X-Forwarded-Proto: 6.6.6.6",
    b"X_FORWARDED_PROTO: 6.6.6.6",
    b"X-Forwarded-Port: 6.6.6.6",
    b"X-Forwarded-Prefix: 6.6.6.6",
    b"X-Forwarded-Server: 6.6.6.6",
    b"X-Forwarded-Scheme: 6.6.6.6",
    b"X-Forwarded-Ssl: 6.6.6.6",
    b"X-Forwarded-User: 6.6.6.6",
    b"X-Forwarded-Anything-Else: 6.6.6.6",
    b"Forwarded: for=6.6.6.6",
    b"FORWARDED: for=6.6.6.6",
    b"X-Real-IP: 6.6.6.6",
    b"X_Real_IP: 6.6.6.6",
    b"x-real_ip: 6.6.6.6",
    b"X-Original-URL: /6.6.6.6",
    b"X-Original-Host: 6.6.6.6",
    b"X_Original_For: 6.6.6.6",
]


@pytest.mark.parametrize("line", LIES)
def test_what_an_untrusted_peer_says_is_discarded_in_every_spelling_H7(
    client: Client, origin: Script, line: bytes
) -> None:
    request = forwarded(client, origin, get(b"/", line))
    assert b"6.6.6.6" not in request.raw
    assert request.get(b"x-forwarded-for") == b"127.0.0.1"


def test_many_lies_at_once_are_discarded_H7(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", *LIES, *LIES))
    assert b"6.6.6.6" not in request.raw
    assert request.get(b"x-forwarded-host") == b"shop.example"


@pytest.mark.parametrize(
    "line",
    [
        b"X-User: mallory", b"x-user: mallory", b"X_User: mallory", b"X-USER: mallory", b"x_uSeR: mallory",
        b"X-Auth-Role: mallory", b"X-Member: mallory", b"x_member: mallory", b"X_Auth-Role: mallory",
        b"x-auth_role: mallory", b"X_AUTH_ROLE: mallory", b"Remote-User: mallory", b"REMOTE_USER: mallory",
        b"X-Remote-User: mallory", b"X-User-Id: mallory", b"X-Roles: mallory", b"X-Authenticated-User: mallory",
        b"X_Internal_Subject: mallory",
    ],
)  # fmt: skip
def test_identity_fields_of_a_client_are_dropped_in_every_spelling_H7(
    client: Client, origin: Script, line: bytes
) -> None:
    assert b"mallory" not in forwarded(client, origin, get(b"/", line)).raw


@pytest.mark.parametrize(
    "line",
    [
        b"Strangler-Override: extracted", b"strangler_override: extracted", b"STRANGLER-DEBUG: x",
        b"Strangler_Debug: x", b"Strangler-Shadow: 1", b"strangler-shadow: 1", b"Strangler_Shadow: 1",
    ],
)  # fmt: skip
def test_the_gateways_own_fields_never_come_from_a_client_H7(client: Client, origin: Script, line: bytes) -> None:
    request = forwarded(client, origin, get(b"/", line))
    assert not [name for name, _ in request.fields if name.lower().startswith(b"strangler")]


def test_a_field_that_only_resembles_a_trusted_one_passes_H3(client: Client, origin: Script) -> None:
    lines = [b"X-Forward: 1", b"X-Realtime: 2", b"My-X-Forwarded-For: 3", b"X_Custom: 4", b"X-Users: 5"]
    request = forwarded(client, origin, get(b"/", *lines))
    assert [b"%s: %s" % pair for pair in request.fields if b"%s: %s" % pair in lines] == lines


def test_the_client_the_host_and_the_scheme_are_set_once_H7(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get())
    assert request.get(b"x-forwarded-for") == b"127.0.0.1"
    assert request.get(b"x-forwarded-host") == b"shop.example"
    assert request.get(b"x-forwarded-proto") == b"http"


@pytest.fixture
def proxied(trusting: GatewayProcess) -> Client:
    """A client that the gateway takes for a trusted proxy."""
    return trusting.connect()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], b"127.0.0.1"),
        ([b"X-Forwarded-For: 1.2.3.4"], b"1.2.3.4, 127.0.0.1"),
        ([b"X-Forwarded-For: 1.2.3.4, 5.6.7.8"], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
        ([b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8"], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
        ([b"x-forwarded-for: 1.2.3.4", b"A: b", b"X-FORWARDED-FOR: ::1"], b"1.2.3.4, ::1, 127.0.0.1"),
        ([b"X-Forwarded-For: ", b"X-Forwarded-For: 1.2.3.4"], b"1.2.3.4, 127.0.0.1"),
        ([b"X_Forwarded_For: 6.6.6.6"], b"127.0.0.1"),
        ([b"X_Forwarded_For: 6.6.6.6", b"X-Forwarded-For: 1.2.3.4"], b"1.2.3.4, 127.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_appended_to_one_line_H7(
    proxied: Client, origin: Script, lines: list[bytes], expected: bytes
) -> None:
    assert forwarded(proxied, origin, get(b"/", *lines)).get(b"x-forwarded-for") == expected


def test_host_and_scheme_of_a_trusted_proxy_are_kept_H7(proxied: Client, origin: Script) -> None:
    lines = [b"X-Forwarded-Host: public.example", b"X-Forwarded-Proto: https"]
    request = forwarded(proxied, origin, get(b"/", *lines))
    assert request.get(b"x-forwarded-host") == b"public.example"
    assert request.get(b"x-forwarded-proto") == b"https"


def test_without_a_word_of_the_trusted_proxy_host_and_scheme_are_what_was_seen_H7(
    proxied: Client, origin: Script
) -> None:
    request = forwarded(proxied, origin, get())
    assert request.get(b"x-forwarded-host") == b"shop.example"
    assert request.get(b"x-forwarded-proto") == b"http"


def test_forwarded_of_a_trusted_proxy_is_one_list_in_order_7239_4(proxied: Client, origin: Script) -> None:
    lines = [b"Forwarded: for=1.2.3.4;proto=https", b"Forwarded: for=5.6.7.8"]
    request = forwarded(proxied, origin, get(b"/", *lines))
    assert request.joined(b"forwarded").startswith(b"for=1.2.3.4;proto=https, for=5.6.7.8")


def test_identity_fields_of_a_trusted_proxy_are_dropped_all_the_same_H7(proxied: Client, origin: Script) -> None:
    assert b"mallory" not in forwarded(proxied, origin, get(b"/", b"X-User: mallory", b"X_User: mallory")).raw


def test_a_trusted_proxy_cannot_remove_what_the_gateway_adds_H1(proxied: Client, origin: Script) -> None:
    lines = [b"X-Forwarded-For: 1.2.3.4", b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"]
    request = forwarded(proxied, origin, get(b"/", *lines))
    assert (request.get(b"x-forwarded-for") or b"").endswith(b"127.0.0.1")
    assert request.get(b"x-forwarded-proto")
    assert request.get(b"x-forwarded-host")


def test_a_reference_to_the_inside_becomes_what_the_trusted_proxy_says_is_public_R10(
    proxied: Client, origin: Script
) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d/b" % origin.port, status=b"302 Found"))
    lines = [b"X-Forwarded-Host: public.example", b"X-Forwarded-Proto: https"]
    assert proxied.ask(get(b"/own-host/a", *lines)).get(b"location") == b"https://public.example/b"


def test_what_an_untrusted_peer_says_is_public_is_ignored_R10(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d/b" % origin.port, status=b"302 Found"))
    lines = [b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: https", b"Forwarded: host=evil.example"]
    assert client.ask(get(b"/own-host/a", *lines)).get(b"location") == b"http://shop.example/b"


def test_an_ipv6_client_is_named_plainly_H7(start: Start, origin: Script) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    gateway = start("--host", "::1", TRUSTED_PROXY="::1/128")
    client = connect(gateway.port, address="::1")
    request = forwarded(client, origin, get(b"/", b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=1.2.3.4"))
    assert request.get(b"x-forwarded-for") == b"1.2.3.4, ::1"
    assert (request.get(b"forwarded") or b"").startswith(b'for=1.2.3.4, for="[::1]"')
    client.close()
    gateway.stop()
