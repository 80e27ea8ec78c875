"""Heads as they are sent on: what is dropped, set once, continued, mapped; and all else byte for byte."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.trust import client_behind, trusts
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.http.response_head import parse_response
from strangler_gateway.table.routes import Auth, Movable, Rewrite, Route, RouteTable, Service, Side
from strangler_gateway.upstream.heads.back import response_fields, response_lines
from strangler_gateway.upstream.heads.out import request_head, target_for
from strangler_gateway.upstream.heads.reference_mapping import map_cookie, map_reference

SERVICE = Service("m", "http", "inside", 3000)
ROUTE = Route("all", "/{rest...}", None, Movable("all", "route"), SERVICE)
TABLE = RouteTable("d", (ROUTE,), {"m": SERVICE}, {"all": ROUTE.movable}, trusted_proxies=(ip_network("10.0.0.0/8"),))


def exchange(
    lines: bytes = b"", line: bytes = b"GET /a?b HTTP/1.1", peer: str = "1.2.3.4", route: Route = ROUTE
) -> Exchange:
    head = parse_request(line + b"\r\nHost: public\r\n" + lines + b"\r\n", 1000, 4000, 50)
    x = Exchange(head, HeadMemory(), TABLE, peer, b"http", 0.0)
    x.route, x.request_id = route, b"id-1"
    x.trusted = trusts(TABLE, peer)
    return x


def sent(x: Exchange, service: Service = SERVICE, side: Side = Side.LEGACY) -> list[bytes]:
    return request_head(x, service, side, b"gw-1").split(b"\r\n")


def test_plain_fields_go_as_they_came_in_their_order() -> None:
    lines = sent(exchange(b"B: 1\r\nA: \xff x\r\nB: 2\r\nEmpty:\r\n"))
    assert [line for line in lines if line[:2] in (b"A:", b"B:", b"Em")] == [b"B: 1", b"A: \xff x", b"B: 2", b"Empty:"]
    assert lines[0] == b"GET /a?b HTTP/1.1"


@pytest.mark.parametrize(
    "line",
    [
        b"Proxy-Connection: keep-alive",
        b"Keep-Alive: timeout=5",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAA",
        b"TE: gzip",
        b"Proxy-Authorization: Basic x",
        b"X-Forwarded-For: 9.9.9.9",
        b"X_Forwarded_For: 9.9.9.9",
        b"x-forwarded-host: evil",
        b"Forwarded: for=9.9.9.9",
        b"X-Real-IP: 9.9.9.9",
        b"X-Original-URL: /admin",
        b"X-Strangler-User: root",
        b"Strangler-Override: extracted",
        b"Strangler-Debug: secret",
        b"Strangler-Shadow: 1",
        b"Strangler_timeout_MS: 1",
    ],
)
def test_a_client_never_says_this_to_an_upstream(line: bytes) -> None:
    value = line.partition(b": ")[2]
    assert not any(one.endswith(b": " + value) for one in sent(exchange(line + b"\r\n")))


@pytest.mark.parametrize(
    ("pass_on", "told"),
    [
        ((), []),
        (("address",), [b"X-Strangler-Client-Address: 1.2.3.4"]),
        (("credential",), [b"X-Strangler-Client-Credential: Bearer a"]),
    ],
)
def test_a_service_is_told_what_the_route_passes_on_and_the_monolith_is_not(
    pass_on: tuple[Literal["address", "credential"], ...], told: list[bytes]
) -> None:
    forged = b"X-Strangler-Client-Address: 6.6.6.6\r\nx_strangler_client_credential: 6\r\n"
    own = b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: X-Strangler-Client-Address\r\n"
    x = exchange(forged + own, route=replace(ROUTE, auth=Auth(pass_on=pass_on)))

    def passed_on(side: Side) -> list[bytes]:
        return [line for line in sent(x, side=side) if b"client" in line.lower()]

    assert passed_on(Side.EXTRACTED) == []  # without an internal token nobody is believed
    x.internal_token = b"signed"
    assert passed_on(Side.EXTRACTED) == told
    assert passed_on(Side.LEGACY) == []


def test_a_service_is_told_how_long_the_gateway_waits_and_the_monolith_is_not() -> None:
    x = exchange(b"Strangler-Timeout-Ms: 999999\r\nConnection: Strangler-Timeout-Ms\r\n")

    def told(side: Side) -> list[bytes]:
        return [line for line in sent(x, side=side) if b"timeout" in line.lower()]

    assert [told(side) for side in (Side.LEGACY, Side.EXTRACTED)] == [[], [b"Strangler-Timeout-Ms: 75000"]]
    x.patience_s = 0.25
    assert told(Side.EXTRACTED) == [b"Strangler-Timeout-Ms: 250"]


def test_connection_options_never_remove_what_the_gateway_adds() -> None:
    """RFC 9110 §7.6.1, on all Connection lines, also behind an empty first one."""
    lines = sent(exchange(b"Connection:\r\nConnection: X-A, via, X-Forwarded-For\r\nX-A: 1\r\nX-B: 2\r\n"))
    names = [line.partition(b":")[0].lower() for line in lines]
    assert b"x-a" not in names
    assert {b"x-b", b"via", b"x-forwarded-for"} <= set(names)


def test_forwarding_fields_are_set_once_for_a_stranger() -> None:
    lines = sent(exchange())
    assert lines.count(b"X-Forwarded-For: 1.2.3.4") == 1
    assert b"X-Forwarded-Proto: http" in lines
    assert b"X-Forwarded-Host: public" in lines
    assert b"Via: 1.1 gw-1" in lines


def test_a_trusted_proxys_fields_are_continued_on_one_line() -> None:
    x = exchange(b"X-Forwarded-For: 7.7.7.7\r\nX-Forwarded-Proto: https\r\nForwarded: for=7.7.7.7\r\n", peer="10.0.0.1")
    lines = sent(x)
    assert b"X-Forwarded-For: 7.7.7.7, 10.0.0.1" in lines
    assert b"X-Forwarded-Proto: https" in lines
    assert b"Forwarded: for=7.7.7.7, for=10.0.0.1;proto=http" in lines


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (b"7.7.7.7", "7.7.7.7"),
        (b"6.6.6.6, 7.7.7.7, 10.9.9.9", "7.7.7.7"),
        (b"6.6.6.6, rubbish", "10.0.0.1"),
        (b"", "10.0.0.1"),
        (b"7.7.7.7, 10.9.9.9, 10.1.1.1", "7.7.7.7"),
        (b"7.7.7.7,, 10.9.9.9 ,", "7.7.7.7"),
        (b"10.2.2.2, 10.9.9.9", "10.2.2.2"),
        (b"7.7.7.7:4711, [::ffff:10.9.9.9]:80, 10.8.8.8:65535", "7.7.7.7"),
        (b"::FFFF:7.7.7.7", "7.7.7.7"),
        (b"[2001:db8::7]", "2001:db8::7"),
        (b"[2001:DB8:0::7]:443", "2001:db8::7"),
        (b"fe80::7%eth0", "fe80::7"),
        (b"6.6.6.6, unknown, 10.9.9.9", "10.9.9.9"),
        (b"6.6.6.6, 7.7.7.7:port", "10.0.0.1"),
        (b"6.6.6.6, [7.7.7.7", "10.0.0.1"),
        (b"6.6.6.6, 07.7.7.7", "10.0.0.1"),
        (b"6.6.6.6 7.7.7.7", "10.0.0.1"),
        (b"6.6.6.6, \xff", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(forwarded: bytes, client: str) -> None:
    assert client_behind(TABLE, "10.0.0.1", [(b"X-Forwarded-For", forwarded)]) == client


def test_several_lines_are_one_list() -> None:
    lines = [(b"X-Forwarded-For", b"6.6.6.6"), (b"x-forwarded-for", b"7.7.7.7"), (b"X-Forwarded-For", b"10.9.9.9")]
    assert client_behind(TABLE, "10.0.0.1", lines) == "7.7.7.7"


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.0.0.1", True), ("::ffff:10.0.0.1", True), ("::ffff:11.0.0.1", False), ("::10.0.0.1", False), ("", False)],
)
def test_a_proxy_is_known_by_its_address_also_on_a_socket_for_both_families(peer: str, trusted: bool) -> None:
    assert trusts(TABLE, peer) is trusted


def test_a_service_gets_the_internal_token_in_place_of_the_clients_credential() -> None:
    x = exchange(b"Authorization: Bearer client\r\n")
    x.internal_token = b"internal"
    assert [v for v in sent(x, side=Side.EXTRACTED) if v.startswith(b"Auth")] == [b"Authorization: Bearer internal"]
    assert [v for v in sent(x) if v.startswith(b"Auth")] == [b"Authorization: Bearer client"]


def test_host_is_kept_or_the_upstreams_as_the_service_says() -> None:
    assert b"Host: public" in sent(exchange())
    assert b"Host: inside:3000" in sent(exchange(), replace(SERVICE, host_policy="upstream"))


def test_base_path_and_rewrite_change_the_path_alone() -> None:
    service = replace(SERVICE, base_path=b"/v2")
    route = replace(ROUTE, path="/item/{id}", variables=("id",), rewrite=Rewrite(extracted="/things/{id}"))
    x = exchange(line=b"GET /item/a%2Fb?q=%zz HTTP/1.1", route=route)
    x.variables = (b"a%2Fb",)
    assert target_for(x, service, Side.LEGACY) == b"/v2/item/a%2Fb?q=%zz"
    assert target_for(x, service, Side.EXTRACTED) == b"/v2/things/a%2Fb?q=%zz"


def test_a_value_of_the_client_is_never_taken_for_a_variable() -> None:
    rewrite = Rewrite(extracted="/x/{a}/{b...}")
    x = exchange(line=b"GET /{b}/c HTTP/1.1", route=replace(ROUTE, variables=("a", "b"), rewrite=rewrite))
    x.variables = (b"{b}", b"c")
    assert target_for(x, SERVICE, Side.EXTRACTED) == b"/x/{b}/c"


@pytest.mark.parametrize(
    ("location", "mapped"),
    [
        (b"/x", b"/x"),
        (b"http://inside:3000/x?y#z", b"http://public/x?y#z"),
        (b"HTTP://INSIDE:3000/x", b"http://public/x"),
        (b"http://inside:30001/x", b"http://inside:30001/x"),
        (b"http://elsewhere/x", b"http://elsewhere/x"),
        (b"//elsewhere/x", b"//elsewhere/x"),
        (b"https://elsewhere/?next=http://inside:3000/x", b"https://elsewhere/?next=http://inside:3000/x"),
        (b"5; url=http://inside:3000/x", b"5; url=http://public/x"),
    ],
)
def test_only_references_to_the_internal_origin_are_mapped(location: bytes, mapped: bytes) -> None:
    assert map_reference(exchange(), location, SERVICE) == mapped


def test_a_base_path_is_taken_off_again() -> None:
    service = replace(SERVICE, base_path=b"/v2")
    assert map_reference(exchange(), b"/v2/x", service) == b"/x"
    assert map_reference(exchange(), b"/v2x", service) == b"/v2x"
    assert map_reference(exchange(), b"http://inside:3000/v2", service) == b"http://public/"
    assert map_cookie(exchange(), b"a=b; Path=/v2/x; HttpOnly", service) == b"a=b; Path=/x; HttpOnly"


@pytest.mark.parametrize(
    ("cookie", "mapped"),
    [
        (b"a=b; Domain=inside; Secure", b"a=b; Secure"),
        (b"a=b; domain=.INSIDE", b"a=b"),
        (b"a=b; Domain=10.1.1.1; Path=/", b"a=b; Path=/"),
        (b"a=b; Domain=example.org; Expires=Wed, 09 Jun 2027 10:18:14 GMT", None),
        (b"a=b;Path=/x;SameSite=None;Partitioned", None),
    ],
)
def test_a_cookies_domain_goes_only_where_it_is_internal(cookie: bytes, mapped: bytes | None) -> None:
    assert map_cookie(exchange(), cookie, SERVICE) == (cookie if mapped is None else mapped)


NAME = st.sampled_from(
    [b"Date", b"Connection", b"Keep-Alive", b"Content-Length", b"X-A", b"ETag", b"Set-Cookie", b"Location"]
)
VALUE = st.sampled_from([b"1", b"close", b"keep-alive", b"timeout=5", b"x-a", b"/x", b"a=b; Path=/", b" 2 "])


@given(st.lists(st.tuples(NAME, VALUE), max_size=7))
def test_lines_passed_on_as_bytes_are_the_fields_edited_one_by_one(fields: list[tuple[bytes, bytes]]) -> None:
    fields = [(n, v) for n, v in fields if n != b"Content-Length"] + [(b"Content-Length", b"5")]
    raw = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % f for f in fields) + b"\r\n"
    response = parse_response(raw, b"GET")
    edited = response_fields(exchange(), response, SERVICE, trailers=False)
    lines = response_lines(exchange(), response, SERVICE, trailers=False)
    split = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines.split(b"\r\n") if line]
    assert split == [(name, value.strip()) for name, value in edited]
