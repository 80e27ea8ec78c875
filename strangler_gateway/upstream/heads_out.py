"""The request as it is sent on: hop-by-hop fields gone, forwarding fields set once, all else as it came. Pure."""

import re

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.http.fields import NEVER_NOMINATED, Kind, Pairs, dashed, is_listed
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.table.routes import Service, Side

_LINE = b"%b: %b\r\n"
_MOST_FORWARDS = 999_999_999
# Python 3.11 looks an enum member up in Python.
_LEGACY, _EXTRACTED = Side.LEGACY, Side.EXTRACTED
_KEPT = frozenset((Kind.LENGTH, Kind.AUTHORIZATION, Kind.LOCATION, Kind.SET_COOKIE, Kind.DATE))
_CONTINUED = frozenset((Kind.VIA, Kind.FORWARDED, Kind.FORWARDED_FOR))
_TOLD_BY_PROXIES = frozenset((Kind.FORWARDED_PROTO, Kind.FORWARDED_HOST, Kind.FORWARDED_OTHER))
# Read for every field of every request: plain names are the fastest.
HOST, AUTHORIZATION, EXPECT, TRAILER = Kind.HOST, Kind.AUTHORIZATION, Kind.EXPECT, Kind.TRAILER
MAX_FORWARDS, REQUEST_ID, VIA = Kind.MAX_FORWARDS, Kind.REQUEST_ID, Kind.VIA
_VARIABLE = re.compile(rb"\{([^{}.]+)(?:\.\.\.)?\}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Built:
    """Lines for one service. All else that they depend on is the same for a connection, or in its fields."""

    __slots__ = ("credential", "lines", "names_request", "service", "side", "table")

    def __init__(self, x: Exchange, service: Service, side: Side, via: bytes) -> None:
        self.service, self.side, self.table, self.credential = service, side, x.table, x.credential
        self.lines, self.names_request = _lines(x, service, side, via)

    def fits(self, x: Exchange, service: Service, side: Side) -> bool:
        """Whether they are the lines of this exchange, too."""
        return (
            self.service is service and self.side is side and self.table is x.table and self.credential == x.credential
        )


def request_head(x: Exchange, service: Service, side: Side, via: bytes) -> bytes:
    """The request as it goes to `service` (RFC 9110 §7.6): raw target, raw fields, one line each of our own."""
    head = x.head
    built = head.built
    if not isinstance(built, Built) or not built.fits(x, service, side):
        head.built = built = Built(x, service, side, via)
    named = b"" if built.names_request else b"X-Request-Id: %b\r\n" % x.request_id
    start, token = (x.method, target_for(x, service, side), built.lines, named), x.internal_token
    if token is None or side is _LEGACY:
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % start
    return b"%b %b HTTP/1.1\r\n%b%bAuthorization: Bearer %b\r\n\r\n" % (*start, token)


def _lines(x: Exchange, service: Service, side: Side, via: bytes) -> tuple[bytes, bool]:
    """The field lines, and whether the client's own request id is among them."""
    head = x.head
    lines = [_LINE % pair for pair in head.fields]
    kept = _edit(x, lines, service, replaces_authorization=side is _EXTRACTED)
    if head.connection:
        _remove_nominated(lines, head.fields, head.connection)
    if x.table.identity_headers:
        _remove_identity(lines, head.fields, x.table.identity_headers)
    if head.host is None or not head.has_host_field or service.host_policy == "upstream":
        preserved = head.host if service.host_policy == "preserve" else None
        lines.insert(0, b"Host: %b\r\n" % (preserved or service.authority))
    if head.length is None:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    if head.websocket:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    elif head.te_trailers:
        lines.append(b"Connection: TE\r\nTE: trailers\r\n")
    if side is _LEGACY and x.credential is not None:
        lines.append(b"Authorization: %b\r\n" % x.credential)
    lines.append(_forwarded(x, via, kept))
    return b"".join(lines), REQUEST_ID in kept


def _edit(x: Exchange, lines: list[bytes], service: Service, replaces_authorization: bool) -> dict[int, bytes]:
    """Takes out or changes the marked lines in place; gives what is to be continued, by kind."""
    head = x.head
    kept: dict[int, bytes] = {}
    for kind, index in head.marks:
        if kind == HOST:
            lines[index] = b"" if service.host_policy == "upstream" else b"Host: %b\r\n" % (head.host or b"")
        elif kind == AUTHORIZATION:
            if replaces_authorization or x.credential is not None:
                lines[index] = b""
        elif kind == EXPECT:
            if not head.expect_continue:
                lines[index] = b""
        elif kind == TRAILER:
            if head.length is not None:
                lines[index] = b""
        elif kind == MAX_FORWARDS:
            lines[index] = _one_hop_less(x.method, head.fields[index])
        elif kind == REQUEST_ID:
            if x.request_id == head.fields[index][1] and not _is_nominated(head, index):
                kept[kind] = b""
            else:
                lines[index] = b""
        elif kind in _CONTINUED:
            if value := head.fields[index][1].strip(b" \t,"):
                kept[kind] = b"%b, %b" % (kept[kind], value) if kind in kept else value
            lines[index] = b""
        elif kind in _TOLD_BY_PROXIES and x.trusted:
            if not _is_nominated(head, index):
                kept[kind] = b""
        elif kind not in _KEPT:
            lines[index] = b""
    return kept


def _forwarded(x: Exchange, via: bytes, kept: dict[int, bytes]) -> bytes:
    """Via always; X-Forwarded-* set once, or continued on the same line where the peer is trusted."""
    received = kept.get(VIA)
    own = b"1.%d %b" % (x.version - 10, via)
    line = b"Via: %b\r\n" % (b"%b, %b" % (received, own) if received else own)
    peer = x.peer.encode() or b"unknown"
    if x.trusted:
        line += _continued(x, peer, kept)
    else:
        line += b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n" % (
            peer,
            x.scheme,
            x.host or b"",
        )
    return line


def _continued(x: Exchange, peer: bytes, kept: dict[int, bytes]) -> bytes:
    so_far = kept.get(Kind.FORWARDED_FOR)
    lines = b"X-Forwarded-For: %b\r\n" % (b"%b, %b" % (so_far, peer) if so_far else peer)
    if Kind.FORWARDED in kept:
        node = b'"[%b]"' % peer if b":" in peer else peer
        lines += b"Forwarded: %b, for=%b;proto=%b\r\n" % (kept[Kind.FORWARDED], node, x.scheme)
    if Kind.FORWARDED_PROTO not in kept:
        lines += b"X-Forwarded-Proto: %b\r\n" % x.scheme
    if Kind.FORWARDED_HOST not in kept:
        lines += b"X-Forwarded-Host: %b\r\n" % (x.host or b"")
    return lines


def _one_hop_less(method: bytes, pair: tuple[bytes, bytes]) -> bytes:
    """RFC 9110 §7.6.2: counted for OPTIONS and TRACE alone; what is more than the most we count becomes that."""
    name, value = pair
    if method in (b"OPTIONS", b"TRACE") and (digits := value.strip()).isdigit():
        return _LINE % (name, b"%d" % min(max(int(digits[:4000]) - 1, 0), _MOST_FORWARDS))
    return _LINE % pair


def _is_nominated(head: RequestHead, index: int) -> bool:
    """For this hop alone: what the gateway says itself is said in its place (gateway.md H1)."""
    return head.fields[index][0].lower() in head.connection


def _remove_nominated(lines: list[bytes], fields: Pairs, names: frozenset[bytes]) -> None:
    for index, (name, _) in enumerate(fields):
        lower = name.lower()
        if lower in names and lower not in NEVER_NOMINATED:
            lines[index] = b""


def _remove_identity(lines: list[bytes], fields: Pairs, patterns: tuple[str, ...]) -> None:
    for index, (name, _) in enumerate(fields):
        if is_listed(dashed(name), patterns):
            lines[index] = b""


def target_for(x: Exchange, service: Service, side: Side) -> bytes:
    """The request target towards a service: the bytes received, behind its base path, or the route's rewrite."""
    rewrite = x.route.rewrite
    template = rewrite.legacy if side is _LEGACY else rewrite.extracted
    if x.target == b"*":
        return x.target
    if template is None:
        return service.base_path + x.target
    values = dict(zip(x.route.variables, x.variables, strict=True))
    # One pass: what a client sent is never taken for a variable.
    path = _VARIABLE.sub(lambda found: values[found[1].decode()], template.encode())
    return service.base_path + path + x.query


def request_id_of(fields: Pairs, index: int) -> bytes | None:
    """The client's request id, if it is one that may stand in a log."""
    value = fields[index][1]
    return value if _REQUEST_ID.fullmatch(value) else None
