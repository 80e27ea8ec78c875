"""What a connection remembers of the lines towards a service never shows in a later request."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.http.request_head import BadRequest
from strangler_gateway.server.request_reader import RequestReader
from strangler_gateway.settings import Settings
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service, Side
from strangler_gateway.upstream.heads.out import request_head

PLAIN = Service("m", "http", "inside", 3000)
SERVICES = [PLAIN, replace(PLAIN, host_policy="upstream"), replace(PLAIN, identity_headers="pass")]
ROUTE = Route("all", "/{rest...}", None, Movable("all", "route"), PLAIN)
TABLE = RouteTable(
    "d", (ROUTE,), {"m": PLAIN}, {}, trusted_proxies=(ip_network("10.0.0.0/8"),), identity_headers=("x-who*",)
)
FIELDS = st.sampled_from(
    [
        *(b"X-A: 1", b"X-A: 2", b"X-A:3", b"x-a: 1", b"X-B: 1", b"X-Who: a", b"X-Whom: b", b"X-Wh: c", b"Cookie: d=1"),
        *(b"Connection: X-A", b"Connection: X-B, keep-alive", b"Connection: keep-alive", b"Keep-Alive: 5"),
        *(b"Authorization: Bearer a", b"Authorization: Bearer b", b"X-User: root", b"X-User: me", b"Via: 1.1 a"),
        *(b"Authorization: Bearer exchanged", b"authorization: Bearer a", b"Connection: authorization"),
        *(b"X-Forwarded-For: 9.9.9.9", b"X-Forwarded-For: 8.8.8.8", b"X-Request-Id: r-1", b"TE: trailers"),
    ]
)
HEADS = st.lists(FIELDS, min_size=1, max_size=4)
CREDENTIALS = st.sampled_from([None, b"Bearer exchanged", b"Bearer other"])
"""Of the monolith's own kind, for a user's token."""


def built(reader: RequestReader, number: int, fields: list[bytes], **more: Any) -> bytes:
    reader.buffer = b"\r\n".join([b"GET /%d HTTP/1.1" % number, b"Host: public", *fields, b"", b""])
    head = reader.take()
    assert head is not None
    x = Exchange(head, reader.memory, TABLE, more["peer"], b"http", 0.0)
    x.request_id, x.trusted = b"id-1", more["peer"].startswith("10.")
    x.credential, x.internal_token = more.get("credential"), more.get("token")
    return request_head(x, more["service"], more["side"], b"gw-1")


@pytest.mark.parametrize("peer", ["1.2.3.4", "10.0.0.1"])
@example(heads=[[b"X-A: 1"], [b"X-A: 2"]], service=PLAIN, side=Side.LEGACY)
@given(heads=st.lists(HEADS, min_size=2, max_size=4), service=st.sampled_from(SERVICES), side=st.sampled_from(Side))
def test_a_request_is_sent_on_as_if_it_were_the_first_of_its_connection(
    heads: list[list[bytes]], service: Service, side: Side, peer: str
) -> None:
    settings, more = Settings.model_validate({}), {"service": service, "side": side, "peer": peer}
    connection = RequestReader(settings)
    for number, fields in enumerate(heads):
        try:
            anew = built(RequestReader(settings), number, fields, **more)
        except BadRequest:
            return
        assert built(connection, number, fields, **more) == anew


TOKENS = st.binary(min_size=1, max_size=6).map(lambda token: token.hex().encode())
WHO = st.tuples(TOKENS, CREDENTIALS, st.sampled_from(Side))


@example(users=[(name, None, Side.LEGACY) for name in (b"a", b"b", b"c")])
@example(users=[(b"exchanged", b"Bearer exchanged", Side.LEGACY), (b"a", b"Bearer exchanged", Side.LEGACY)])
@given(users=st.lists(WHO, min_size=2, max_size=6))
def test_an_upstream_gets_the_credential_of_this_request_and_of_no_other(
    users: list[tuple[bytes, bytes | None, Side]],
) -> None:
    connection = RequestReader(Settings.model_validate({}))
    for number, (token, credential, side) in enumerate(users):
        fields = [b"X-A: %d" % (number // 4), b"Authorization: Bearer %b" % token]
        internal = b"internal-%d" % number
        more = {"service": PLAIN, "side": side, "peer": "1.2.3.4", "credential": credential, "token": internal}
        lines = built(connection, number, fields, **more).split(b"\r\n")
        expected = b"Bearer " + internal if side is Side.EXTRACTED else credential or b"Bearer " + token
        assert [line for line in lines if line.lower().startswith(b"auth")] == [b"Authorization: " + expected]
