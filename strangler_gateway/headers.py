"""Heads as the gateway sends them: hop-by-hop fields gone, forwarding fields set once, all else as it came. Pure."""

import re
from ipaddress import ip_address

from strangler_gateway.exchange import Exchange
from strangler_gateway.fields import Kind, Pairs, dashed, is_listed
from strangler_gateway.http1 import ResponseHead
from strangler_gateway.routes import RouteTable, Service, Side

_LINE = b"%b: %b\r\n"
_KEPT_IN_REQUEST = frozenset((Kind.LENGTH, Kind.AUTHORIZATION, Kind.LOCATION, Kind.SET_COOKIE, Kind.DATE))
_DROPPED_IN_RESPONSE = frozenset(
    (Kind.CONNECTION, Kind.KEEP_ALIVE, Kind.TRANSFER_ENCODING, Kind.UPGRADE, Kind.TE, Kind.TRAILER)
)
_HOP_BY_HOP = frozenset((b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"http2-settings"))
_NEVER_NOMINATED = frozenset((b"host", b"content-length", b"transfer-encoding", b"trailer"))
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def request_head(x: Exchange, service: Service, side: Side, via: bytes) -> bytes:
    """The request as it goes to `service` (RFC 9110 §7.6): raw target, raw fields, one line each of our own."""
    head = x.head
    lines = [_LINE % pair for pair in head.fields]
    forwarded = b""
    if head.marks:
        forwarded = _edit(x, lines, service, via, replaces_authorization=side is Side.EXTRACTED)
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
    if side is Side.EXTRACTED:
        if x.internal_token is not None:
            lines.append(b"Authorization: Bearer %b\r\n" % x.internal_token)
    elif x.credential is not None:
        lines.append(b"Authorization: %b\r\n" % x.credential)
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (
        x.method,
        target_for(x, service, side),
        b"".join(lines),
        forwarded or _forwarded(x, via, {}),
    )


def _edit(x: Exchange, lines: list[bytes], service: Service, via: bytes, replaces_authorization: bool) -> bytes:
    """Takes out or changes the marked lines in place; gives the forwarding lines to be added."""
    head, kept = x.head, {}
    for kind, index in head.marks:
        if kind == Kind.HOST:
            lines[index] = b"" if service.host_policy == "upstream" else b"Host: %b\r\n" % (head.host or b"")
        elif kind == Kind.AUTHORIZATION:
            if replaces_authorization or x.credential is not None:
                lines[index] = b""
        elif kind == Kind.EXPECT:
            if not head.expect_continue:
                lines[index] = b""
        elif kind == Kind.TRAILER:
            if head.length is not None:
                lines[index] = b""
        elif kind == Kind.MAX_FORWARDS:
            lines[index] = _one_hop_less(x.method, head.fields[index])
        elif kind == Kind.REQUEST_ID:
            if x.request_id == head.fields[index][1]:
                kept[kind] = b""
            else:
                lines[index] = b""
        elif kind in (Kind.VIA, Kind.FORWARDED, Kind.FORWARDED_FOR):
            if value := head.fields[index][1].strip(b" \t,"):
                kept[kind] = b"%b, %b" % (kept[kind], value) if kind in kept else value
            lines[index] = b""
        elif kind in (Kind.FORWARDED_PROTO, Kind.FORWARDED_HOST, Kind.FORWARDED_OTHER) and x.trusted:
            kept[kind] = b""
        elif kind not in _KEPT_IN_REQUEST:
            lines[index] = b""
    return _forwarded(x, via, kept)


def _forwarded(x: Exchange, via: bytes, kept: dict[int, bytes]) -> bytes:
    """Via always; X-Forwarded-* set once, or continued on the same line where the peer is trusted."""
    received = kept.get(Kind.VIA)
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
    if Kind.REQUEST_ID not in kept:
        line += b"X-Request-Id: %b\r\n" % x.request_id
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
    """RFC 9110 §7.6.2: counted for OPTIONS and TRACE alone."""
    name, value = pair
    if method in (b"OPTIONS", b"TRACE") and re.fullmatch(rb"[0-9]{1,9}", value.strip()):
        return _LINE % (name, b"%d" % max(int(value) - 1, 0))
    return _LINE % pair


def _remove_nominated(lines: list[bytes], fields: Pairs, names: frozenset[bytes]) -> None:
    for index, (name, _) in enumerate(fields):
        lower = name.lower()
        if lower in names and lower not in _NEVER_NOMINATED:
            lines[index] = b""


def _remove_identity(lines: list[bytes], fields: Pairs, patterns: tuple[str, ...]) -> None:
    for index, (name, _) in enumerate(fields):
        if is_listed(dashed(name), patterns):
            lines[index] = b""


def target_for(x: Exchange, service: Service, side: Side) -> bytes:
    """The request target towards a service: the bytes received, behind its base path, or the route's rewrite."""
    template = x.route.rewrite.legacy if side is Side.LEGACY else x.route.rewrite.extracted
    if x.target == b"*":
        return x.target
    if template is None:
        return service.base_path + x.target
    path = template.encode()
    for name, value in zip(x.route.variables, x.variables, strict=True):
        path = path.replace(b"{%b}" % name.encode(), value).replace(b"{%b...}" % name.encode(), value)
    return service.base_path + path + x.query


def response_fields(x: Exchange, response: ResponseHead, service: Service, trailers: bool) -> Pairs:
    """The fields for the client: as received, without hop-by-hop ones; references to inside mapped to outside."""
    fields = response.fields
    if response.marks:
        fields = list(fields)
        gone = [i for kind, i in response.marks if _edit_response(x, fields, kind, i, response, service, trailers)]
        for index in reversed(gone):
            del fields[index]
    if response.connection:
        fields = [f for f in fields if (low := f[0].lower()) not in response.connection or low in _NEVER_NOMINATED]
    if x.extra_fields:
        fields = [*fields, *x.extra_fields]
    return fields


def interim_lines(response: ResponseHead) -> bytes:
    """The field lines of a 1xx response, without hop-by-hop ones; a 1xx has no body to be framed."""
    gone = _DROPPED_IN_RESPONSE | {Kind.LENGTH}
    marked = {index for kind, index in response.marks if kind in gone or (kind == Kind.DROP)}
    kept = [f for i, f in enumerate(response.fields) if i not in marked and f[0].lower() not in response.connection]
    return b"".join([_LINE % pair for pair in kept])


def response_lines(x: Exchange, response: ResponseHead, service: Service, trailers: bool) -> bytes:
    """The same as lines: bytes as received, where nothing but whole lines has to go (the common case)."""
    if not response.connection and not x.extra_fields:
        lines = _without_hop_by_hop(response)
        if lines is not None:
            return lines
    return b"".join([_LINE % pair for pair in response_fields(x, response, service, trailers)])


def _without_hop_by_hop(response: ResponseHead) -> bytes | None:
    """None where a field has to be looked at, or is not written `name: value`."""
    lines, seen_length = response.lines, False
    for kind, index in response.marks:
        if kind == Kind.DATE:
            continue
        if kind == Kind.LENGTH and response.length is not None and response.length >= 0 and response.status != 204:
            if seen_length or not response.fields[index][1].isdigit():
                return None
            seen_length = True
        elif kind in (Kind.CONNECTION, Kind.KEEP_ALIVE):
            shorter = lines.replace(b"\n%b: %b\r\n" % response.fields[index], b"\n", 1)
            if len(shorter) == len(lines):
                return None
            lines = shorter
        else:
            return None
    return lines[1:]


def _edit_response(
    x: Exchange, fields: Pairs, kind: int, index: int, response: ResponseHead, service: Service, trailers: bool
) -> bool:
    """Changes a marked field in place; true if it has to go."""
    name, value = fields[index]
    if kind in _DROPPED_IN_RESPONSE:
        return kind != Kind.TRAILER or not trailers
    if kind == Kind.LENGTH:
        if response.length == -1 or response.status == 204:
            return True
        fields[index] = (name, value.partition(b",")[0].strip(b" \t"))
        return any(k == kind and i < index for k, i in response.marks)
    if kind == Kind.DROP:
        return name.lower() in _HOP_BY_HOP
    if kind == Kind.LOCATION:
        fields[index] = (name, map_reference(x, value, service))
    elif kind == Kind.SET_COOKIE:
        fields[index] = (name, map_cookie(x, value, service))
    return False


_REFERENCE = re.compile(rb"(?i)(.*?)(https?://)([^/?#]*)(.*)", re.DOTALL)


def map_reference(x: Exchange, value: bytes, service: Service) -> bytes:
    """Location, Content-Location, Refresh: the internal origin becomes the public one; all else stays as it is."""
    found = _REFERENCE.fullmatch(value)
    refresh = re.match(rb"(?i)[0-9. \t]*;[ \t]*url=", value)
    lead = refresh[0] if refresh else b""
    if found is not None and found[1] == lead:
        if found[3].lower() != service.authority.lower() or (service.host_policy == "preserve" and x.host == found[3]):
            return value
        return b"%b%b://%b%b" % (lead, x.scheme, x.host or found[3], _public_path(x, found[4], service))
    rest = value[len(lead) :]
    if rest.startswith(b"/") and not rest.startswith(b"//"):
        return lead + _public_path(x, rest, service)
    return value


def _public_path(x: Exchange, path: bytes, service: Service) -> bytes:
    for inside, outside in _prefixes(x, service):
        if path == inside or path.startswith((inside + b"/", inside + b"?")):
            return (outside + path[len(inside) :]) or b"/"
    return path


def _prefixes(x: Exchange, service: Service) -> list[tuple[bytes, bytes]]:
    """(path prefix inside, prefix outside), longest first: the rewrite's literal beginning, then the base path."""
    side = Side.EXTRACTED if service is x.route.extracted else Side.LEGACY
    template = x.route.rewrite.legacy if side is Side.LEGACY else x.route.rewrite.extracted
    found = []
    if template is not None:
        found.append((service.base_path + _literal(template), _literal(x.route.path)))
    if service.base_path:
        found.append((service.base_path, b""))
    return [(inside, outside) for inside, outside in found if inside]


def _literal(template: str) -> bytes:
    return template.partition("{")[0].rstrip("/").encode()


def map_cookie(x: Exchange, value: bytes, service: Service) -> bytes:
    """Set-Cookie: a Domain that is the internal host goes; Path is mapped only where the path is (RFC 6265 §5.2)."""
    first, *attributes = value.split(b";")
    kept = [first]
    for attribute in attributes:
        name, mark, text = attribute.partition(b"=")
        lower = name.strip().lower()
        if lower == b"domain" and _is_internal(text.strip().lstrip(b"."), service):
            continue
        if lower == b"path" and mark:
            attribute = name + mark + _public_path(x, text.strip(), service) if _prefixes(x, service) else attribute
        kept.append(attribute)
    return b";".join(kept)


def _is_internal(domain: bytes, service: Service) -> bool:
    if domain.lower() == service.host.lower().encode():
        return True
    try:
        ip_address(domain.decode("latin-1"))
    except ValueError:
        return False
    return True


def trusts(table: RouteTable, peer: str) -> bool:
    """Whether the peer is one of `trusted_proxies:`."""
    if not peer:
        return False
    address = ip_address(peer.partition("%")[0])
    return any(address in network for network in table.trusted_proxies)


def client_behind(table: RouteTable, peer: str, fields: Pairs) -> str:
    """The client's address as trusted proxies tell it: the last of X-Forwarded-For that is none of them."""
    values = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    for text in reversed(b",".join(values).decode("latin-1").split(",")):
        try:
            address = ip_address(text.strip())
        except ValueError:
            break
        peer = str(address)
        if not any(address in network for network in table.trusted_proxies):
            break
    return peer


def request_id_of(fields: Pairs, index: int) -> bytes | None:
    """The client's request id, if it is one that may stand in a log."""
    value = fields[index][1]
    return value if _REQUEST_ID.fullmatch(value) else None
