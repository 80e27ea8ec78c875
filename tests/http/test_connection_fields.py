"""H1, H2: what belongs to one hop stays there (RFC 9110 §7.6.1)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, message, ok, ok_chunked, post_chunked
from tests.http.origin import Script
from tests.http.verdicts import forwarded

NAMING = [
    pytest.param([b"Connection: X-Drop"], id="alone"),
    pytest.param([b"Connection: close, X-Drop"], id="after close"),
    pytest.param([b"Connection: keep-alive, X-Drop"], id="after keep-alive"),
    pytest.param([b"connection: x-drop"], id="in lower case"),
    pytest.param([b"CONNECTION: X-DROP"], id="in upper case"),
    pytest.param([b"Connection: ", b"Connection: X-Drop"], id="on a second line after an empty one"),
    pytest.param([b"Connection:", b"Connection:", b"Connection: x-drop"], id="on a third line after two empty ones"),
    pytest.param([b"Connection: keep-alive", b"Connection: X-Drop"], id="on a second line"),
    pytest.param([b"Connection: X-Drop", b"Connection: keep-alive"], id="on a first line"),
    pytest.param([b"Connection: X-Drop", b"Connection: "], id="on a line before an empty one"),
    pytest.param([b"Connection: keep-alive", b"X-Between: 1", b"Connection: X-Drop"], id="on lines apart"),
    pytest.param([b"Connection: ,, X-Drop ,"], id="among empty members"),
    pytest.param([b"Connection:\tX-Drop\t,\tclose"], id="between tabs"),
    pytest.param([b"Connection:X-Drop"], id="without a space"),
    pytest.param([b"Connection: a,b,c,d,X-Drop,e,f,g"], id="among many"),
]


@pytest.mark.parametrize("lines", NAMING)
@pytest.mark.parametrize("field_first", [True, False])
def test_a_field_named_in_any_connection_line_of_a_request_is_dropped_9110_7_6_1(
    client: Client, origin: Script, lines: list[bytes], field_first: bool
) -> None:
    both = [b"X-Drop: secret", *lines] if field_first else [*lines, b"X-Drop: secret"]
    request = forwarded(client, origin, get(b"/", *both, b"X-Keep: 1"))
    assert not request.all(b"x-drop")
    assert request.get(b"x-keep") == b"1"
    assert b"x-drop" not in request.options()


@pytest.mark.parametrize("lines", NAMING)
def test_a_field_named_in_any_connection_line_of_a_response_is_dropped_9110_7_6_1(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    origin.answers(ok(b"X-Drop: secret", *lines, b"X-Keep: 1"))
    answer = client.ask(get())
    assert not answer.all(b"x-drop")
    assert answer.get(b"x-keep") == b"1"
    assert b"x-drop" not in answer.options()


def test_every_line_of_a_named_field_is_dropped_9110_7_6_1(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"X-Drop: 1", b"Connection: x-drop", b"x-drop: 2", b"X-DROP: 3"))
    assert not request.all(b"x-drop")


def test_several_named_fields_are_dropped_9110_7_6_1(client: Client, origin: Script) -> None:
    lines = [b"A: 1", b"B: 2", b"C: 3", b"D: 4", b"Connection: a, c", b"Connection: d"]
    request = forwarded(client, origin, get(b"/", *lines))
    assert [request.get(name) for name in (b"a", b"b", b"c", b"d")] == [None, b"2", None, None]


def test_a_longer_name_than_the_named_one_stays_9110_7_6_1(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"Connection: X-Drop", b"X-Drop-Not: 1", b"Not-X-Drop: 2"))
    assert (request.get(b"x-drop-not"), request.get(b"not-x-drop")) == (b"1", b"2")


@pytest.mark.parametrize(
    "name",
    [
        b"Via",
        b"X-Forwarded-For",
        b"x-forwarded-for",
        b"X-FORWARDED-HOST",
        b"X-Forwarded-Host",
        b"X-Forwarded-Proto",
        b"Host",
        b"close, X-Forwarded-For, x-forwarded-proto, via, host",
    ],
)
def test_a_client_cannot_have_removed_what_the_gateway_adds_H1(client: Client, origin: Script, name: bytes) -> None:
    request = forwarded(client, origin, get(b"/", b"Connection: " + name))
    assert request.get(b"x-forwarded-for") == b"127.0.0.1"
    assert request.get(b"x-forwarded-host") == b"shop.example"
    assert request.get(b"x-forwarded-proto") == b"http"
    assert request.get(b"host") == b"shop.example"
    assert request.all(b"via")


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length, close"])
def test_naming_content_length_does_not_unframe_a_request_9112_6(client: Client, origin: Script, name: bytes) -> None:
    raw = message(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 5", b"Connection: " + name, body=b"hello")
    client.send(raw)
    if client.answer().status == 200:
        assert origin.only.body == b"hello"
    else:
        assert client.ends()


def test_naming_transfer_encoding_does_not_unframe_a_request_9112_6(client: Client, origin: Script) -> None:
    client.send(post_chunked(b"hello", lines=(b"Connection: Transfer-Encoding",)))
    if client.answer().status == 200:
        assert origin.only.body == b"hello"
    else:
        assert client.ends()


def test_naming_content_length_does_not_unframe_a_response_9112_6(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Connection: Content-Length", body=b"hello"))
    assert client.ask(get()).body == b"hello"
    assert client.ask(get()).body == b"hello"


def test_naming_date_does_not_leave_a_response_without_one_9110_6_6_1(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Connection: date, x-a"))
    assert client.ask(get()).status == 200


@pytest.mark.parametrize(
    "line",
    [
        b"Proxy-Connection: keep-alive",
        b"Keep-Alive: timeout=5, max=100",
        b"TE: gzip",
        b"TE: deflate;q=0.5, trailers",
        b"Upgrade: foo/2",
        b"Proxy-Authenticate: Basic realm=x",
        b"Proxy-Authorization: Basic Zm9vOmJhcg==",
        b"Trailer: X-T",
        b"HTTP2-Settings: AAMAAABkAARAAAAA",
        b"PROXY-CONNECTION: close",
        b"keep-alive: 300",
        b"proxy-authorization: Basic Zm9vOmJhcg==",
    ],
)
def test_a_hop_by_hop_field_of_a_request_is_dropped_though_not_listed_9110_7_6_1(
    client: Client, origin: Script, line: bytes
) -> None:
    request = forwarded(client, origin, get(b"/", line, b"X-Keep: 1"))
    name, value = line.split(b": ", 1)
    assert value not in request.all(name) or name == b"TE"
    assert request.get(b"x-keep") == b"1"


@pytest.mark.parametrize(
    "line",
    [
        b"Proxy-Connection: keep-alive",
        b"Keep-Alive: timeout=5",
        b"Upgrade: foo/2",
        b"Proxy-Authenticate: Basic realm=x",
        b"Proxy-Authorization: Basic Zm9vOmJhcg==",
        b"Trailer: X-T",
        b"TE: trailers",
        b"KEEP-ALIVE: max=1",
        b"proxy-connection: close",
    ],
)
def test_a_hop_by_hop_field_of_a_response_is_dropped_though_not_listed_9110_7_6_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(ok(line, b"X-Keep: 1"))
    answer = client.ask(get())
    assert not answer.all(line.split(b":")[0])
    assert answer.get(b"x-keep") == b"1"


def test_te_trailers_is_only_passed_on_as_the_gateways_own_9110_10_1_4(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"TE: trailers", b"Connection: TE"))
    assert request.all(b"te") in ([], [b"trailers"])


@pytest.mark.parametrize("name", [b"Content-Length", b"Host", b"Connection", b"X-Drop"])
def test_a_request_named_field_never_reaches_the_upstream_as_a_connection_option_9110_7_6_1(
    client: Client, origin: Script, name: bytes
) -> None:
    request = forwarded(client, origin, get(b"/", b"Connection: " + name))
    assert request.options() <= {b"keep-alive"}


def test_close_of_the_upstream_does_not_close_the_client_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Connection: close"), close=True)
    assert b"close" not in client.ask(get()).options()
    assert client.ask(get()).status == 200


def test_close_of_the_client_is_not_passed_on_but_honoured_9112_9_6(client: Client, origin: Script) -> None:
    answer = client.ask(get(b"/", b"Connection: close"))
    assert b"close" in answer.options()
    assert client.ends()


def test_a_close_on_any_connection_line_is_honoured_9112_9_6(client: Client, origin: Script) -> None:
    client.send(get(b"/", b"Connection: ", b"Connection: foo, CLOSE") + get(b"/second"))
    assert client.answer().status == 200
    assert client.ends()
    assert origin.only.target == b"/"


def test_a_trailer_named_in_connection_is_dropped_9110_7_6_1(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"a", lines=(b"Connection: X-Gone",), trailers=(b"X-Gone: 1", b"X-Stay: 2")))
    answer = client.ask(get(b"/", b"TE: trailers", b"Connection: TE"))
    assert answer.trailers == [(b"X-Stay", b"2")]


def test_naming_the_request_id_does_not_take_the_gateways_own_away_9110_7_6_1(client: Client, origin: Script) -> None:
    request = forwarded(client, origin, get(b"/", b"X-Request-Id: mine", b"Connection: X-Request-Id"))
    assert len(request.all(b"x-request-id")) == 1


@pytest.mark.parametrize(("name", "own"), [(b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", b"shop.example")])
def test_a_trusted_proxy_that_names_its_own_fields_does_not_take_ours_away_9110_7_6_1(
    trusting: GatewayProcess, origin: Script, name: bytes, own: bytes
) -> None:
    request = forwarded(trusting.connect(), origin, get(b"/", name + b": theirs", b"Connection: " + name))
    assert request.all(name.lower()) == [own]
