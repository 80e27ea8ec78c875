"""H7: who sent a request is what the gateway saw, unless a trusted proxy tells (RFC 7239 §8, gateway.md H7)."""

import socket

import pytest

from tests.http.client import Client, connect
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

SAID_BY_STRANGERS = [
    b"X-Forwarded-For", b"x-forwarded-for", b"X_Forwarded_For", b"X-Forwarded_For", b"x_forwarded-for",
    b"X-Forwarded-Host",
    b"X_Forwarded_Host", b"X-Forwarded-Proto", b"X_FORWARDED_PROTO", b"X-Forwarded-Port", b"X-Forwarded-Prefix",
    b"X-Forwarded-Server", b"X-Forwarded-Scheme", b"X-Forwarded-Ssl", b"X-Forwarded-User", b"X-Forwarded-Anything-Else",
    b"Forwarded", b"FORWARDED", b"X-Real-IP", b"X_Real_IP", b"x-real_ip", b"X-Original-URL", b"X-Original-Host",
    b"X_Original_For",
    b"X-Auth-Role", b"X-Member", b"x_member", b"X_Auth-Role", b"x-auth_role", b"X_AUTH_ROLE",
    b"X-Strangler-User", b"x_strangler_token",
    b"Strangler-Override", b"strangler_override", b"STRANGLER-DEBUG", b"Strangler_Debug", b"Strangler-Shadow",
    b"Strangler-Timeout-Ms", b"strangler_timeout_ms",
    b"strangler-shadow", b"Strangler_Shadow",
]  # fmt: skip


def test_what_an_untrusted_peer_says_is_discarded_in_every_spelling_H7(client: Client, origin: Script) -> None:
    lines = [name + b": for=6.6.6.6" for name in SAID_BY_STRANGERS]
    for line in lines:
        assert client.ask(get(b"/", line)).status == 200
        assert b"6.6.6.6" not in origin.requests[-1].raw, line
    assert client.ask(get(b"/", *lines, *lines)).status == 200
    for request in (origin.requests[0], origin.requests[-1]):
        assert b"6.6.6.6" not in request.raw
        assert not [name for name, _ in request.fields if name.lower().startswith(b"strangler")]
        assert request.get(b"x-forwarded-for") == b"127.0.0.1"
        assert request.get(b"x-forwarded-host") == b"shop.example"
        assert request.get(b"x-forwarded-proto") == b"http"


def test_a_service_is_told_how_long_the_gateway_waits_and_nobody_is_by_a_client(client: Client, origin: Script) -> None:
    forged = [b"Strangler-Timeout-Ms: 1", b"STRANGLER_TIMEOUT_MS: 1", b"Connection: Strangler-Timeout-Ms"]
    for path in (b"/", b"/service/"):
        assert client.ask(get(path, *forged)).status == 200
    told = [[field for field in request.fields if b"timeout" in field[0].lower()] for request in origin.requests]
    assert told == [[], [(b"Strangler-Timeout-Ms", b"75000")]]


IDENTITY = [
    b"X-User", b"x-user", b"X_User", b"X-USER", b"x_uSeR", b"Remote-User", b"REMOTE_USER", b"X-Remote-User",
    b"X-User-Id", b"X-Roles", b"X-Authenticated-User", b"X_Internal_Subject",
]  # fmt: skip
LISTED = [b"X-Member", b"x_member", b"X-Auth-Request-User"]
"""Of `identity_headers:`, the last one also a built-in name."""


@pytest.mark.parametrize(
    ("path", "peer", "passed"),
    [
        (b"/", "client", IDENTITY),
        (b"/", "proxied", IDENTITY),
        (b"/untold/", "proxied", []),
        (b"/service/", "client", []),
        (b"/service/", "proxied", []),
        (b"/told/", "client", [*IDENTITY, *LISTED]),
        (b"/told-by-proxies/", "client", []),
        (b"/told-by-proxies/", "proxied", [*IDENTITY, *LISTED]),
    ],
)
def test_who_calls_is_told_to_the_monolith_as_sent_and_to_a_service_only_if_it_says_so(
    path: bytes, peer: str, passed: list[bytes], origin: Script, request: pytest.FixtureRequest
) -> None:
    said = [b"%b: %d" % pair for pair in zip([*IDENTITY, *LISTED], range(100), strict=False)]
    got = forwarded(request.getfixturevalue(peer), origin, get(path, *said, b"Authorization: Bearer x"))
    names = {line.partition(b":")[0] for line in said}
    assert [b"%b: %b" % pair for pair in got.fields if pair[0] in names] == said[: len(passed)]


def test_a_field_that_only_resembles_a_trusted_one_passes_H3(client: Client, origin: Script) -> None:
    lines = [b"X-Forward: 1", b"X-Realtime: 2", b"My-X-Forwarded-For: 3", b"X_Custom: 4", b"X-Users: 5"]
    request = forwarded(client, origin, get(b"/", *lines))
    assert [b"%s: %s" % pair for pair in request.fields if b"%s: %s" % pair in lines] == lines


@pytest.fixture
def proxied(trusting: GatewayProcess) -> Client:
    """A client that the gateway takes for a trusted proxy."""
    return trusting.connect()


FOR, OTHER = b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], b"127.0.0.1"),
        ([FOR + b", 5.6.7.8"], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
        ([FOR, OTHER], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
        ([FOR.lower(), b"A: b", b"X-FORWARDED-FOR: ::1"], b"1.2.3.4, ::1, 127.0.0.1"),
        ([b"X-Forwarded-For: ", FOR], b"1.2.3.4, 127.0.0.1"),
        ([b"X_Forwarded_For: 6.6.6.6"], b"127.0.0.1"),
        ([b"X_Forwarded_For: 6.6.6.6", FOR], b"1.2.3.4, 127.0.0.1"),
        ([FOR, b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"], b"1.2.3.4, 127.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_appended_to_one_line_and_host_and_scheme_are_set_H7(
    proxied: Client, origin: Script, lines: list[bytes], expected: bytes
) -> None:
    request = forwarded(proxied, origin, get(b"/", *lines))
    assert request.get(b"x-forwarded-for") == expected
    assert request.get(b"x-forwarded-host") == b"shop.example"
    assert request.get(b"x-forwarded-proto") == b"http"


def test_what_a_trusted_proxy_says_is_kept_but_never_a_listed_identity_H7(proxied: Client, origin: Script) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d/b" % origin.port))
    said = [b"X-Forwarded-Host: public.example", b"X-Forwarded-Proto: https", b"X-Member: mallory"]
    forwardings = [b"Forwarded: for=1.2.3.4;proto=https", b"Forwarded: for=5.6.7.8"]
    answer = proxied.ask(get(b"/own-host/a", *said, *forwardings))
    request = origin.only
    assert (request.get(b"x-forwarded-host"), request.get(b"x-forwarded-proto")) == (b"public.example", b"https")
    assert request.joined(b"forwarded").startswith(b"for=1.2.3.4;proto=https, for=5.6.7.8"), "RFC 7239 §4"
    assert b"mallory" not in request.raw
    assert answer.get(b"location") == b"https://public.example/b", "R10"


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
    request = forwarded(client, origin, get(b"/", FOR, b"Forwarded: for=1.2.3.4"))
    assert request.get(b"x-forwarded-for") == b"1.2.3.4, ::1"
    assert (request.get(b"forwarded") or b"").startswith(b'for=1.2.3.4, for="[::1]"')
    client.close()
    gateway.stop()
