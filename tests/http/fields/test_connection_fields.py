"""H1, H2: what belongs to one hop stays there (RFC 9110 §7.6.1)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

NAMING = {
    "alone": [b"Connection: X-Drop"],
    "after another option": [b"Connection: close, X-Drop"],
    "in upper case": [b"CONNECTION: X-DROP"],
    "on a third line after two empty ones": [b"Connection:", b"Connection:", b"Connection: x-drop"],
    "on a line before an empty one": [b"Connection: X-Drop", b"Connection: "],
    "on lines apart": [b"Connection: keep-alive", b"X-Between: 1", b"Connection: X-Drop"],
    "among empty members": [b"Connection: ,, X-Drop ,"],
    "between tabs": [b"Connection:\tX-Drop\t,\tclose"],
    "without a space": [b"Connection:a,b,X-Drop,e,f,g"],
}


@pytest.mark.parametrize("lines", NAMING.values(), ids=NAMING)
def test_a_field_named_in_any_connection_line_is_dropped_both_ways_9110_7_6_1(
    gateway: GatewayProcess, origin: Script, lines: list[bytes]
) -> None:
    for row in ([b"X-Drop: 1", *lines], [*lines, b"X-DROP: 1"], [b"x-drop: 1", *lines, b"X-Drop: 2"]):
        origin.answers(ok(*row, b"X-Keep: 1", b"X-Drop-Not: 2"))
        answer = gateway.connect().ask(get(b"/", *row, b"X-Keep: 1", b"X-Drop-Not: 2"))
        for head in (origin.requests[-1], answer):
            assert not head.all(b"x-drop")
            assert b"x-drop" not in head.options()
            assert (head.get(b"x-keep"), head.get(b"x-drop-not")) == (b"1", b"2"), "a longer name stays"


def test_several_named_fields_are_dropped_9110_7_6_1(client: Client, origin: Script) -> None:
    lines = [b"A: 1", b"B: 2", b"C: 3", b"D: 4", b"Connection: a, c", b"Connection: d"]
    request = forwarded(client, origin, get(b"/", *lines))
    assert [request.get(name) for name in (b"a", b"b", b"c", b"d")] == [None, b"2", None, None]


@pytest.mark.parametrize(
    "name", [b"Via", b"X-Forwarded-For", b"Host, Content-Length", b"close, X-Forwarded-Host, x-forwarded-proto, host"]
)
def test_a_client_cannot_have_removed_what_the_gateway_adds_H1(client: Client, origin: Script, name: bytes) -> None:
    request = forwarded(client, origin, get(b"/", b"X-Request-Id: mine", b"Connection: X-Request-Id, " + name))
    assert request.get(b"x-forwarded-for") == b"127.0.0.1"
    assert request.get(b"x-forwarded-host") == b"shop.example"
    assert request.get(b"x-forwarded-proto") == b"http"
    assert request.get(b"host") == b"shop.example"
    assert request.all(b"via")
    assert len(request.all(b"x-request-id")) == 1
    assert request.options() <= {b"keep-alive"}


@pytest.mark.parametrize(("name", "own"), [(b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", b"shop.example")])
def test_a_trusted_proxy_that_names_its_own_fields_does_not_take_ours_away_9110_7_6_1(
    trusting: GatewayProcess, origin: Script, name: bytes, own: bytes
) -> None:
    request = forwarded(trusting.connect(), origin, get(b"/", name + b": theirs", b"Connection: " + name))
    assert request.all(name.lower()) == [own]


def test_naming_length_and_date_takes_neither_from_a_response_9112_6(client: Client, origin: Script) -> None:
    date = b"Date: Sun, 06 Nov 1994 08:49:37 GMT"
    origin.answers(ok(date, b"Connection: Content-Length, date", body=b"hello"))
    assert client.ask(get()).body == b"hello"
    assert client.ask(get()).body == b"hello"


HOP_BY_HOP = [
    b"Proxy-Connection: keep-alive", b"keep-alive: timeout=5, max=100", b"Upgrade: foo/2", b"Trailer: X-T",
    b"Proxy-Authenticate: Basic realm=x", b"proxy-authorization: Basic Zm9vOmJhcg==", b"TE: deflate;q=0.5, trailers",
]  # fmt: skip


@pytest.mark.parametrize("line", [*HOP_BY_HOP, b"HTTP2-Settings: AAMAAABkAARAAAAA"])
def test_a_hop_by_hop_field_is_dropped_though_not_listed_9110_7_6_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(ok(line if line in HOP_BY_HOP else b"TE: gzip", b"X-Keep: 1"))
    answer = client.ask(get(b"/", line, b"X-Keep: 1"))
    name, value = line.split(b": ", 1)
    assert not answer.all(name)
    assert value not in origin.only.all(name)
    assert (answer.get(b"x-keep"), origin.only.get(b"x-keep")) == (b"1", b"1")


def test_te_trailers_is_only_passed_on_as_the_gateways_own_9110_10_1_4(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"TE: trailers", b"Connection: TE"))
    assert request.all(b"te") in ([], [b"trailers"])


def test_close_of_the_upstream_does_not_close_the_client_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Connection: close"), close=True)
    assert b"close" not in client.ask(get()).options()
    assert client.ask(get()).status == 200


@pytest.mark.parametrize("lines", [[b"Connection: close"], [b"Connection: ", b"Connection: foo, CLOSE"]])
def test_close_of_the_client_is_honoured_and_nothing_behind_it_answered_9112_9_6(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    client.send(get(b"/", *lines) + get(b"/second"))
    assert b"close" in client.answer().options()
    assert client.ends()
    assert origin.only.target == b"/"
