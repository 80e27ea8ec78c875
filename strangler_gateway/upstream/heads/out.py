"""The request as it is sent on: hop-by-hop fields gone, forwarding fields set once, all else as it came. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from chassis.auth.claims import CLIENT_ADDRESS, CLIENT_CREDENTIAL
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import BuiltLines
from strangler_gateway.http.fields import NEVER_NOMINATED, Kind, Pairs, dashed, is_listed
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.table.routes import Service, Side
from strangler_gateway.upstream.time_left import TIMEOUT

_LINE = b"%b: %b"
_MOST_FORWARDS = 999_999_999
# Python 3.11 looks an enum member up in Python.
_LEGACY: Final = Side.LEGACY
_EXTRACTED: Final = Side.EXTRACTED
_KEPT = frozenset((Kind.LENGTH, Kind.AUTHORIZATION, Kind.LOCATION, Kind.SET_COOKIE, Kind.DATE))
_CONTINUED = frozenset((Kind.VIA, Kind.FORWARDED, Kind.FORWARDED_FOR))
_TOLD_BY_PROXIES = frozenset((Kind.FORWARDED_PROTO, Kind.FORWARDED_HOST, Kind.FORWARDED_OTHER))
# Read for every field of every request: plain names are the fastest.
HOST, AUTHORIZATION, EXPECT, TRAILER = Kind.HOST, Kind.AUTHORIZATION, Kind.EXPECT, Kind.TRAILER
MAX_FORWARDS, REQUEST_ID, VIA, IDENTITY = Kind.MAX_FORWARDS, Kind.REQUEST_ID, Kind.VIA, Kind.IDENTITY
_VARIABLE = re.compile(rb"\{([^{}.]+)(?:\.\.\.)?\}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def request_head(exchange: Exchange, service: Service, side: Side, via: bytes) -> bytes:
    """The request as it goes to `service` (RFC 9110 §7.6): raw target, raw fields, one line each of our own."""
    memory, head = exchange.memory, exchange.head
    built, joined = memory.built, memory.joined
    # All else is the same for a connection.
    if (
        built is None
        or built.meaning is not head.meaning
        or built.service is not service
        or built.side is not side
        or built.table is not exchange.table
        or built.credential != exchange.credential
        or built.patience_s != exchange.patience_s
    ):
        memory.built = built = _build(exchange, service, side, via)
    rests_on = head.lines if built.sends_credential else head.after
    if joined is not None and joined[0] is built and joined[1] is rests_on:
        lines = joined[2]
    else:
        lines = built.around(head.lines)
        if head.after:  # else it is long, and never comes again
            memory.joined = built, rests_on, lines
    pieces = [exchange.method, b" ", target_for(exchange, service, side), b" HTTP/1.1\r\n", lines]
    if not built.names_request:
        pieces += (b"X-Request-Id: ", exchange.request_id, b"\r\n")
    token = exchange.internal_token
    if token is not None and side is not _LEGACY:
        pieces += (b"Authorization: Bearer ", token, b"\r\n")
        if exchange.route.auth.pass_on:
            pieces += _passed_on(exchange)
    pieces.append(b"\r\n")
    return b"".join(pieces)


def _build(exchange: Exchange, service: Service, side: Side, via: bytes) -> BuiltLines:
    head = exchange.head
    lines = head.lines.copy()
    kept = _edit(exchange, lines, service, side)
    if head.meaning.connection:
        _remove_nominated(lines, head.fields, head.meaning.connection)
    if exchange.table.identity_headers and not _passes_identity(exchange, service):
        _remove_identity(lines, head.fields, exchange.table.identity_headers)
    own_credential = head.meaning.authorization_at if exchange.credential is not None else -1
    edited = tuple(
        (index, line)
        for index, line in enumerate(lines)
        if line and (line != head.lines[index] or index == own_credential)
    )
    gone = tuple(index for index in reversed(range(len(lines))) if not lines[index])
    own = [*_own(exchange, service, side), _forwarded(exchange, via, kept)]
    return BuiltLines(
        head.meaning,
        service,
        side,
        exchange.table,
        exchange.credential,
        exchange.patience_s,
        _host(head, service),
        edited,
        gone,
        b"".join(own),
        head.meaning.authorization_at >= 0 and head.meaning.authorization_at not in gone,
        REQUEST_ID in kept,
    )


def _host(head: RequestHead, service: Service) -> bytes:
    """The line where the client's own Host is not sent on."""
    if head.meaning.host is not None and head.meaning.has_host_field and service.host_policy != "upstream":
        return b""
    preserved = head.meaning.host if service.host_policy == "preserve" else None
    return b"Host: %b\r\n" % (preserved or service.authority)


def _own(exchange: Exchange, service: Service, side: Side) -> Iterator[bytes]:
    """Lines of this hop alone."""
    head = exchange.head
    if side is _EXTRACTED:
        yield b"%b: %d\r\n" % (TIMEOUT, (exchange.patience_s or service.timeouts.response) * 1000)
    if head.meaning.length is None:
        yield b"Transfer-Encoding: chunked\r\n"
    if upgrade := exchange.upgrade_to(service):
        yield b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
    elif head.meaning.te_trailers:
        yield b"Connection: TE\r\nTE: trailers\r\n"


def _edit(exchange: Exchange, lines: list[bytes], service: Service, side: Side) -> dict[int, bytes]:
    """Takes out or changes the marked lines in place; gives what is to be continued, by kind."""
    head = exchange.head
    kept: dict[int, bytes] = {}
    for kind, index in head.meaning.marks:
        if kind == HOST:
            lines[index] = b"" if service.host_policy == "upstream" else b"Host: %b" % (head.meaning.host or b"")
        elif kind == AUTHORIZATION:
            if side is _EXTRACTED or kind in kept:
                lines[index] = b""
            elif exchange.credential is not None:
                kept[kind] = b""  # one stands for all: of several, servers read different ones
                lines[index] = _LINE % (head.fields[index][0], exchange.credential)
        elif kind == EXPECT:
            lines[index] = b"" if kind in kept or not head.meaning.expect_continue else _expectation(head, index)
            kept[kind] = b""
        elif kind == TRAILER:
            if head.meaning.length is not None:
                lines[index] = b""
        elif kind == MAX_FORWARDS:
            lines[index] = _one_hop_less(exchange.method, head.fields[index])
        elif kind == REQUEST_ID:
            if exchange.request_id == head.fields[index][1] and not _is_nominated(head, index):
                kept[kind] = b""
            else:
                lines[index] = b""
        elif kind in _CONTINUED:
            if value := head.fields[index][1].strip(b" \t,"):
                kept[kind] = b"%b, %b" % (kept[kind], value) if kind in kept else value
            lines[index] = b""
        elif kind in _TOLD_BY_PROXIES and exchange.trusted:
            if not _is_nominated(head, index):
                kept[kind] = b""
        elif kind == IDENTITY:
            if not _passes_identity(exchange, service, by_default=side is _LEGACY):
                lines[index] = b""
        elif kind not in _KEPT:
            lines[index] = b""
    return kept


def _passed_on(exchange: Exchange) -> Iterator[bytes]:
    """Lines about the caller that only go with an internal token; a client's own of these names never get here."""
    wanted = exchange.route.auth.pass_on
    if "address" in wanted and exchange.client:
        yield b"%b: %b\r\n" % (CLIENT_ADDRESS, exchange.client.encode())
    sent = [value for name, value in exchange.fields if name.lower() == b"authorization"]
    if "credential" in wanted and sent:
        yield b"%b: %b\r\n" % (CLIENT_CREDENTIAL, sent[0])


def _passes_identity(exchange: Exchange, service: Service, by_default: bool = False) -> bool:
    """Whether fields that say who calls go to the service; the monolith gets the built-in ones unless it says no."""
    policy = service.identity_headers
    if policy is None:
        return by_default
    return policy == "pass" or (policy == "trusted" and exchange.trusted)


def _forwarded(exchange: Exchange, via: bytes, kept: dict[int, bytes]) -> bytes:
    """Via always; X-Forwarded-* set once, or continued on the same line where the peer is trusted."""
    received = kept.get(VIA)
    own = b"1.%d %b" % (exchange.version - 10, via)
    line = b"Via: %b\r\n" % (b"%b, %b" % (received, own) if received else own)
    peer = exchange.peer.encode() or b"unknown"
    if exchange.trusted:
        line += _continued(exchange, peer, kept)
    else:
        line += b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n" % (
            peer,
            exchange.scheme,
            exchange.host or b"",
        )
    return line


def _continued(exchange: Exchange, peer: bytes, kept: dict[int, bytes]) -> bytes:
    so_far = kept.get(Kind.FORWARDED_FOR)
    lines = b"X-Forwarded-For: %b\r\n" % (b"%b, %b" % (so_far, peer) if so_far else peer)
    if Kind.FORWARDED in kept:
        node = b'"[%b]"' % peer if b":" in peer else peer
        lines += b"Forwarded: %b, for=%b;proto=%b\r\n" % (kept[Kind.FORWARDED], node, exchange.scheme)
    if Kind.FORWARDED_PROTO not in kept:
        lines += b"X-Forwarded-Proto: %b\r\n" % exchange.scheme
    if Kind.FORWARDED_HOST not in kept:
        lines += b"X-Forwarded-Host: %b\r\n" % (exchange.host or b"")
    return lines


def _expectation(head: RequestHead, index: int) -> bytes:
    """The only one that is known, as sent; equal ones on one line are one."""
    name, value = head.fields[index]
    return head.lines[index] if value and b"," not in value else _LINE % (name, b"100-continue")


def _one_hop_less(method: bytes, pair: tuple[bytes, bytes]) -> bytes:
    """RFC 9110 §7.6.2: counted for OPTIONS and TRACE alone; what is more than the most we count becomes that."""
    name, value = pair
    if method in (b"OPTIONS", b"TRACE") and (digits := value.strip()).isdigit():
        return _LINE % (name, b"%d" % min(max(int(digits[:4000]) - 1, 0), _MOST_FORWARDS))
    return _LINE % pair


def _is_nominated(head: RequestHead, index: int) -> bool:
    """For this hop alone: what the gateway says itself is said in its place (gateway.md H1)."""
    return head.fields[index][0].lower() in head.meaning.connection


def _remove_nominated(lines: list[bytes], fields: Pairs, names: frozenset[bytes]) -> None:
    for index, (name, _) in enumerate(fields):
        lower = name.lower()
        if lower in names and lower not in NEVER_NOMINATED:
            lines[index] = b""


def _remove_identity(lines: list[bytes], fields: Pairs, patterns: tuple[str, ...]) -> None:
    for index, (name, _) in enumerate(fields):
        if is_listed(dashed(name), patterns):
            lines[index] = b""


def target_for(exchange: Exchange, service: Service, side: Side) -> bytes:
    """The request target towards a service: the bytes received, behind its base path, or the route's rewrite."""
    rewrite, target = exchange.route.rewrite, exchange.head.target
    template = rewrite.legacy if side is _LEGACY else rewrite.extracted
    if target == b"*":
        return target
    if template is None:
        return service.base_path + target
    values = dict(zip(exchange.route.variables, exchange.variables, strict=True))
    # One pass: what a client sent is never taken for a variable.
    path = _VARIABLE.sub(lambda found: values[found[1].decode()], template.encode())
    return service.base_path + path + exchange.head.query


def request_id_of(fields: Pairs, index: int) -> bytes | None:
    """The client's request id, if it is one that may stand in a log."""
    value = fields[index][1]
    return value if _REQUEST_ID.fullmatch(value) else None
