"""Field sections (RFC 9112 §5): one strict pattern for both sides, and which names need attention."""

import re
from collections.abc import Iterable, Sequence
from itertools import compress, count
from operator import ne
from typing import Final

Pairs = list[tuple[bytes, bytes]]
Lines = list[bytes]
"""Field lines as received, without their CRLF and without the empty line at their end."""
Marks = list[tuple[int, int]]
"""(kind, index into the pairs) of each field that is not PLAIN, in order."""

_FIELD = re.compile(rb"(?<=\n)([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n")
_CHECKED: Final = bytes(byte if byte == 0x09 or (byte >= 0x20 and byte != 0x7F) else 0x20 for byte in range(256))
"""Maps each byte that may stand in a line to itself, and no other; faster than a pattern (RFC 9110 §5.5)."""
_MAX_CACHED = 4096
DECIMALS: Final = [b"%d" % number for number in range(1000)]
"""Status codes as digits: formatting one costs more than the rest of its line."""


class Kind:
    """What a field name means to a proxy. PLAIN is forwarded as it is, DROP never (RFC 9110 §7.6.1)."""

    PLAIN: Final = 0
    DROP: Final = 1
    HOST: Final = 2
    CONNECTION: Final = 3
    LENGTH: Final = 4
    TRANSFER_ENCODING: Final = 5
    EXPECT: Final = 6
    UPGRADE: Final = 7
    TE: Final = 8
    TRAILER: Final = 9
    VIA: Final = 10
    AUTHORIZATION: Final = 11
    MAX_FORWARDS: Final = 12
    FORWARDED: Final = 13
    FORWARDED_FOR: Final = 14
    FORWARDED_PROTO: Final = 15
    FORWARDED_HOST: Final = 16
    FORWARDED_OTHER: Final = 17
    REQUEST_ID: Final = 18
    OVERRIDE: Final = 19
    DEBUG: Final = 20
    LOCATION: Final = 21
    SET_COOKIE: Final = 22
    DATE: Final = 23
    KEEP_ALIVE: Final = 24
    IDENTITY: Final = 25


_NAMES = {
    b"proxy-connection": Kind.DROP,
    b"proxy-authenticate": Kind.DROP,
    b"proxy-authorization": Kind.DROP,
    b"http2-settings": Kind.DROP,
    b"strangler-shadow": Kind.DROP,
    b"strangler-timeout-ms": Kind.DROP,
    b"keep-alive": Kind.KEEP_ALIVE,
    b"host": Kind.HOST,
    b"connection": Kind.CONNECTION,
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"expect": Kind.EXPECT,
    b"upgrade": Kind.UPGRADE,
    b"te": Kind.TE,
    b"trailer": Kind.TRAILER,
    b"via": Kind.VIA,
    b"authorization": Kind.AUTHORIZATION,
    b"max-forwards": Kind.MAX_FORWARDS,
    b"forwarded": Kind.FORWARDED,
    b"x-forwarded-for": Kind.FORWARDED_FOR,
    b"x-forwarded-proto": Kind.FORWARDED_PROTO,
    b"x-forwarded-host": Kind.FORWARDED_HOST,
    b"x-real-ip": Kind.FORWARDED_OTHER,
    b"x-rewrite-url": Kind.FORWARDED_OTHER,
    b"x-request-id": Kind.REQUEST_ID,
    b"strangler-override": Kind.OVERRIDE,
    b"strangler-debug": Kind.DEBUG,
    b"location": Kind.LOCATION,
    b"content-location": Kind.LOCATION,
    b"refresh": Kind.LOCATION,
    b"set-cookie": Kind.SET_COOKIE,
    b"date": Kind.DATE,
}
_FORWARDED_PREFIXES = (b"x-forwarded-", b"x-original-")
_OWN_PREFIX = b"x-strangler-"
"""The gateway's own names: no client gets one past it, whatever the service."""
IDENTITY_NAMES = (
    *(b"x-user", b"x-user-id", b"x-user-name", b"x-username", b"x-user-email", b"x-user-role", b"x-user-roles"),
    *(b"x-roles", b"x-auth-user", b"x-auth-roles", b"x-remote-user", b"remote-user"),
)
IDENTITY_PREFIXES = (b"x-auth-request-", b"x-authenticated-", b"x-internal-")
"""Names and prefixes by which applications are told who calls, dashed and in lower case."""

FORBIDDEN_TRAILERS = frozenset(
    (
        *(name for name, kind in _NAMES.items() if kind not in (Kind.DATE,)),
        *(b"age", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie", b"pragma"),
        *(b"range", b"www-authenticate", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
        *(b"if-range", b"expires", b"retry-after", b"vary", b"warning", b"cookie2", b"set-cookie2", b"date"),
    )
)
"""Fields that framing, routing, authentication or processing rest on: never taken from a trailer (RFC 9110 §6.5.1)."""

NEVER_NOMINATED = frozenset((b"host", b"content-length", b"transfer-encoding", b"trailer"))
"""Fields that a Connection option cannot remove: the message would be another one."""


class Malformed(ValueError):
    """A field section that RFC 9112 §5 does not allow."""


_kinds: dict[bytes, int] = {}


def kind_of(name: bytes) -> int:
    """Kind of a request or response field name, in any letter case; `_` for `-` never hides a special name."""
    lower = name.lower()
    kind: int = _NAMES.get(lower, Kind.PLAIN)
    if kind == Kind.PLAIN:
        kind = _kind_of_plain(lower)
    if len(_kinds) < _MAX_CACHED and len(name) <= 64:
        _kinds[name] = kind
    return kind


def _kind_of_plain(lower: bytes) -> int:
    name = dashed(lower)
    if name != lower and name in _NAMES:
        return Kind.DROP
    if name.startswith(_FORWARDED_PREFIXES):
        return Kind.FORWARDED_OTHER if name == lower else Kind.DROP
    if name.startswith(_OWN_PREFIX):
        return Kind.DROP
    return Kind.IDENTITY if _is_identity(name) else Kind.PLAIN


def _is_identity(name: bytes) -> bool:
    """Whether a name (dashed) is one by which an upstream may be told who calls."""
    return name in IDENTITY_NAMES or name.startswith(IDENTITY_PREFIXES)


def parse_fields(section: bytes, start: int) -> tuple[Pairs, Marks]:
    """Fields from `start` (just behind a line feed) to the empty line that ends `section`. Raises Malformed."""
    pairs = _FIELD.findall(section, start)
    if len(pairs) != section.count(b"\n", start) - 1:
        raise Malformed("a field line is not `name: value` ended by CRLF")
    get = _kinds.get
    marks = []
    for index, (name, _value) in enumerate(pairs):
        kind = get(name)
        if kind is None:
            kind = kind_of(name)
        if kind:
            marks.append((kind, index))
    return pairs, marks


def pairs_of(lines: Lines) -> Pairs:
    """Name and value of lines that were read before."""
    return _FIELD.findall(b"\n%b\r\n" % b"\r\n".join(lines))


def starts_of(lines: Lines, marks: Marks, changing: frozenset[int]) -> list[bytes]:
    """What another line may begin with in a later head: name and colon of plain ones and of kinds `changing`.

    The others may not differ: no line begins with what ends with a CRLF.
    """
    starts = [line[: line.index(b":") + 1] for line in lines]
    for kind, index in marks:
        if kind not in changing:
            starts[index] = lines[index] + b"\r\n"
    return starts


def repeats(lines: Lines, last: Lines, starts: list[bytes]) -> bool:
    """Whether the lines differ from those of `last` only behind their `starts`.

    `last` was read strictly, so a line that repeats is valid; in the others no control character may stand.
    """
    if len(lines) != len(last):
        return False
    for index in compress(count(), map(ne, lines, last)):  # noqa: SIM110  # a generator is slower
        if not may_stand(lines[index], starts[index]):
            return False
    return True


def may_stand(line: bytes, start: bytes) -> bool:
    """Whether it begins so, and is a valid line if `start` is the name and colon of one."""
    return line.startswith(start) and line.translate(_CHECKED) == line


def options(values: Iterable[bytes]) -> list[bytes]:
    """Members of a comma-separated list over all its lines, trimmed, lower case, without empty ones."""
    return [item for value in values for part in value.split(b",") if (item := part.strip(b" \t").lower())]


def nominated(connection: Iterable[bytes]) -> frozenset[bytes]:
    """Fields that a Connection option names, to be removed (RFC 9110 §7.6.1)."""
    return frozenset(connection) - {b"close", b"keep-alive", b"connection"}


def is_listed(dashed: bytes, patterns: Sequence[str]) -> bool:
    """Whether a name is one of `identity_headers:` (`*` at the end for a prefix)."""
    return any(
        dashed.startswith(pattern[:-1].encode()) if pattern.endswith("*") else dashed == pattern.encode()
        for pattern in patterns
    )


def dashed(name: bytes) -> bytes:
    """A name as upstreams may read it: lower case, and `_` for `-` is no way around a rule."""
    return name.lower().replace(b"_", b"-")


def allowed_trailers(trailers: Pairs, connection: frozenset[bytes], identity: Sequence[str] = ()) -> Pairs:
    """The trailer fields that may be passed on (RFC 9110 §6.5.1)."""
    return [pair for pair in trailers if _trailer_may_pass(dashed(pair[0]), connection, identity)]


def _trailer_may_pass(name: bytes, connection: frozenset[bytes], identity: Sequence[str]) -> bool:
    if name in FORBIDDEN_TRAILERS or name.startswith((*_FORWARDED_PREFIXES, _OWN_PREFIX)) or _is_identity(name):
        return False
    return name not in connection and not is_listed(name, identity)
