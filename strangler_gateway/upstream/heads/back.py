"""The response as it is sent back: hop-by-hop fields gone, references mapped, all else as it came. Pure."""

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.http.fields import NEVER_NOMINATED, Kind, Pairs
from strangler_gateway.http.response_head import ResponseHead, without
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.heads.reference_mapping import map_cookie, map_reference

_LINE = b"%b: %b\r\n"
_DROPPED = frozenset((Kind.CONNECTION, Kind.KEEP_ALIVE, Kind.TRANSFER_ENCODING, Kind.UPGRADE, Kind.TE, Kind.TRAILER))
# Read for every field of every response: plain names are the fastest.
DATE, LENGTH, CONNECTION, KEEP_ALIVE = Kind.DATE, Kind.LENGTH, Kind.CONNECTION, Kind.KEEP_ALIVE
_HOP_BY_HOP = frozenset((b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"http2-settings"))


def response_fields(exchange: Exchange, response: ResponseHead, service: Service, trailers: bool) -> Pairs:
    """The fields for the client: as received, without hop-by-hop ones; references to inside mapped to outside."""
    fields, marks, connection = response.fields, response.meaning.marks, response.meaning.connection
    if marks:
        fields = list(fields)
        gone = [i for kind, i in marks if _edit_response(exchange, fields, kind, i, response, service, trailers)]
        for index in reversed(gone):
            del fields[index]
    if connection:
        fields = [f for f in fields if (low := f[0].lower()) not in connection or low in NEVER_NOMINATED]
    return fields


def interim_lines(response: ResponseHead) -> bytes:
    """The field lines of a 1xx response, without hop-by-hop ones; a 1xx has no body to be framed."""
    gone, meaning = _DROPPED | {Kind.LENGTH}, response.meaning
    marked = {index for kind, index in meaning.marks if kind in gone or (kind == Kind.DROP)}
    kept = [f for i, f in enumerate(response.fields) if i not in marked and f[0].lower() not in meaning.connection]
    return b"".join([_LINE % pair for pair in kept])


def response_lines(exchange: Exchange, response: ResponseHead, service: Service, trailers: bool) -> bytes:
    """The same as lines: bytes as received, where nothing but whole lines has to go (the common case)."""
    if not response.meaning.connection:
        lines = response.passed
        if lines is None:
            lines = response.passed = _without_hop_by_hop(response)
        if lines is not None:
            return lines
    return b"".join([_LINE % pair for pair in response_fields(exchange, response, service, trailers)])


def _without_hop_by_hop(response: ResponseHead) -> bytes | None:
    """None where a field has to be looked at."""
    gone, seen_length, meaning = [], False, response.meaning
    for kind, index in meaning.marks:
        if kind == DATE:
            continue
        if kind == LENGTH and response.length is not None and response.length >= 0 and meaning.status != 204:
            if seen_length or not response.fields[index][1].isdigit():
                return None
            seen_length = True
        elif kind in (CONNECTION, KEEP_ALIVE):
            gone.append(index)
        else:
            return None
    meaning.gone = tuple(reversed(gone))
    return without(response.lines, meaning.gone)


def _edit_response(
    exchange: Exchange, fields: Pairs, kind: int, index: int, response: ResponseHead, service: Service, trailers: bool
) -> bool:
    """Changes a marked field in place; true if it has to go."""
    name, value = fields[index]
    if kind in _DROPPED:
        return kind != Kind.TRAILER or not trailers
    if kind == Kind.LENGTH:
        if response.meaning.status == 204 or response.meaning.is_coded:
            return True
        fields[index] = (name, value.partition(b",")[0].strip(b" \t"))
        return any(k == kind and i < index for k, i in response.meaning.marks)
    if kind == Kind.DROP:
        return name.lower() in _HOP_BY_HOP
    if kind == Kind.LOCATION:
        fields[index] = (name, map_reference(exchange, value, service))
    elif kind == Kind.SET_COOKIE:
        fields[index] = (name, map_cookie(exchange, value, service))
    return False
