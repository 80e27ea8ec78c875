"""The head of an HTTP/1.1 request (RFC 9112): strict parsing, and how the body is delimited. Pure."""

import re
from typing import Final, Literal, NoReturn

from strangler_gateway.http.fields import (
    Kind,
    Lines,
    Malformed,
    Marks,
    Pairs,
    may_stand,
    nominated,
    options,
    pairs_of,
    parse_fields,
    repeats,
    starts_of,
)

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([0-9])\r\n")
_PLAIN_LINE: Final = re.compile(
    rb"(?!CONNECT )([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (/[\x21\x22\x24-\x7e]*) HTTP/1\.([0-9])\r\n"
)
"""With a target in origin-form (RFC 9112 §3.2.1)."""
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)([^?]*)(\?.*)?", re.DOTALL)
_HOST = re.compile(
    rb"(?:\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
    rb"|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?"
)
DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_START = re.compile(rb"(?:\r\n)?(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?: .*)?)?", re.DOTALL)
_BARE_LF = re.compile(rb"(?<!\r)\n")
KEEP_ALIVE_OPTIONS = frozenset((b"keep-alive", b"Keep-Alive"))
_MAX_CACHED = 1024
_MAX_REMEMBERED: Final = 2048
_good_hosts: set[bytes] = set()
NOTHING: Final[frozenset[bytes]] = frozenset()
_NO_KINDS: Final[frozenset[int]] = frozenset()
_CREDENTIAL: Final[frozenset[int]] = frozenset((Kind.AUTHORIZATION,))

# Read once for every field of every message: plain names are the fastest.
HOST, AUTHORIZATION, CONNECTION, LENGTH = Kind.HOST, Kind.AUTHORIZATION, Kind.CONNECTION, Kind.LENGTH
TRANSFER_ENCODING, EXPECT, UPGRADE, TE = Kind.TRANSFER_ENCODING, Kind.EXPECT, Kind.UPGRADE, Kind.TE
_TELLING = frozenset((Kind.REQUEST_ID, Kind.DEBUG, Kind.OVERRIDE, Kind.VIA))


RefusalReason = Literal["request_line", "version", "target", "fields", "host", "framing", "expectation", "too_long"]
"""What is wrong with a request that no route was found for, as the log tells it."""


class BadRequest(Exception):
    """A request that is answered by the gateway itself, and whose connection is closed (RFC 9112 §2.2)."""

    def __init__(self, status: int, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class RequestMeaning:
    """What a request says to a proxy beside target and credential; heads of one connection that repeat it share it.

    `version`: 10 or 11; `length`: bytes of the body, None for chunked.
    """

    __slots__ = (
        "authorization_at",
        "connection",
        "expect_continue",
        "has_host_field",
        "host",
        "keep_alive",
        "length",
        "marks",
        "method",
        "starts",
        "te_trailers",
        "told",
        "upgrades",
        "version",
    )

    def __init__(self, method: bytes, version: int, marks: Marks) -> None:
        self.method = method
        self.version = version
        self.marks = marks
        self.host: bytes | None = None
        self.has_host_field = True
        self.authorization_at = -1
        """The index of the one Authorization, which may be another one in the next head; -1 for none, and for several.
        """
        self.length: int | None = 0
        self.keep_alive = True
        self.expect_continue = False
        self.upgrades: tuple[bytes, ...] = ()
        """Protocols that the request asks to switch to, in lower case (RFC 9110 §7.8)."""
        self.te_trailers = False
        self.connection: frozenset[bytes] = NOTHING
        """Fields to be removed because a Connection option names them."""
        self.told = False
        """A field names the request, tells of an earlier hop, or is for debugging."""
        self.starts: list[bytes] | None = None
        """Of each line what the next head on this connection has to repeat; worked out when one comes."""


class RequestHead:
    """A parsed request head. `target` is origin-form or `*`; `path` is what stands before its `?`.

    `after`: the field lines and the empty line as received, where the next head on this connection may be read by them;
    else empty. `before`: None, or the field lines before the credential's, and `after` begins behind that line: where
    the credential alone has changed. `received`: the whole head, where it may be the next one's, too; else empty.
    """

    __slots__ = (
        "_authorization",
        "_fields",
        "after",
        "authorization_line",
        "before",
        "lines",
        "meaning",
        "method",
        "path",
        "received",
        "target",
    )

    def __init__(
        self,
        target: bytes,
        lines: Lines,
        meaning: RequestMeaning,
        authorization: bytes | None = None,
        fields: Pairs | None = None,
        received: bytes = b"",
        after: bytes = b"",
        before: bytes | None = None,
    ) -> None:
        self.method = meaning.method
        self.target = target
        self.path = target.partition(b"?")[0]
        self.lines = lines
        self.meaning = meaning
        at = meaning.authorization_at
        self.authorization_line = lines[at] if at >= 0 else b""
        """The one Authorization as received; empty for none, and for several."""
        self.received = received
        self.after = after
        self.before = before
        self._authorization = authorization
        self._fields = fields

    @property
    def query(self) -> bytes:
        """With its `?`; empty where there is none."""
        return self.target[len(self.path) :]

    @property
    def authorization(self) -> bytes | None:
        """The credential without white space around it; empty for several fields, None for none."""
        if self._authorization is None and self.authorization_line:
            self._authorization = self.authorization_line.partition(b":")[2].strip(b" \t")
        return self._authorization

    @property
    def fields(self) -> Pairs:
        """Name as sent and value of each line, in the order received."""
        if self._fields is None:
            self._fields = pairs_of(self.lines)
        return self._fields


def incomplete_request(buffer: bytes, max_line: int, max_header: int) -> None:
    """Refuses at once what can no longer become a request. Raises BadRequest."""
    if not _START.fullmatch(buffer) and buffer != b"\r":
        raise BadRequest(400, "request_line", "The request does not begin with a method.")
    if _BARE_LF.search(buffer):
        raise BadRequest(400, "fields", "A line is not ended by CRLF.")
    line_end = buffer.find(b"\r\n", 2)
    if line_end > max_line or (line_end < 0 and len(buffer) > max_line):
        raise BadRequest(414, "too_long", f"The request line is longer than {max_line} bytes.")
    if line_end >= 0 and not _REQUEST_LINE.match(buffer, 2 if buffer.startswith(b"\r\n") else 0):
        _refuse_request_line(buffer[: line_end + 2].lstrip(b"\r\n"))
    if len(buffer) > max_header + max_line:
        raise BadRequest(431, "too_long", f"The header section is longer than {max_header} bytes.")


def parse_request(
    head: bytes, max_line: int, max_header: int, max_fields: int, last: RequestHead | None = None
) -> RequestHead:
    """`head` ends with the empty line; `last`: the one before it on this connection, whose fields it often repeats.

    Raises BadRequest with the status that tells what is wrong.
    """
    line = _PLAIN_LINE.match(head)
    if line is None and head.startswith(b"\r\n"):
        head = head[2:]
        line = _PLAIN_LINE.match(head)
    is_plain = line is not None
    if line is None:
        line = _REQUEST_LINE.match(head)
    if line is None:
        end = head.find(b"\n") + 1
        if end > max_line:
            raise BadRequest(414, "too_long", f"The request line is longer than {max_line} bytes.")
        _refuse_request_line(head[:end])
    start = line.end()
    if start - 2 > max_line:
        raise BadRequest(414, "too_long", f"The request line is longer than {max_line} bytes.")
    if len(head) - start > max_header:
        raise BadRequest(431, "too_long", f"The header section is longer than {max_header} bytes.")
    method, target, minor = line.groups()
    version = 10 if minor == b"0" else 11
    if is_plain and last is not None and method == last.method and version == last.meaning.version:
        request = _repeated(head, start, target, last)
        if request is not None:
            return request
    return _parsed(head, start, method, target, version, is_plain, max_fields)


def repeated_request(buffer: bytes, max_line: int, max_header: int, last: RequestHead) -> RequestHead | None:
    """The head that `buffer` is, where it differs from the one before it in target and credential alone; else None.

    `buffer` ends with `last.after`.
    """
    line = _PLAIN_LINE.match(buffer)
    if line is None:
        return None
    start = line.end()
    if start - 2 > max_line or len(buffer) - start > max_header:
        return None
    method, target, minor = line.groups()
    if method != last.method or (10 if minor == b"0" else 11) != last.meaning.version:
        return None
    return _with_same_fields(buffer, start, target, last)


def _with_same_fields(head: bytes, start: int, target: bytes, last: RequestHead) -> RequestHead | None:
    """By the lines of the head before it, and one without control characters: so nothing stands behind `head`.

    `head` ends with `last.after`.
    """
    before, after, lines = last.before, last.after, last.lines
    end = len(head) - len(after)
    if not after or len(head) - start > _MAX_REMEMBERED:
        return None
    authorization, fields = last._authorization, last._fields
    if before is None:
        if start != end:
            return None
    else:
        first = start + len(before)
        if first > end or not head.startswith(before, start):
            return None
        line = head[first:end]
        if line != last.authorization_line:
            at, starts = last.meaning.authorization_at, last.meaning.starts
            if starts is None or not may_stand(line, starts[at]):
                return None
            lines = lines.copy()
            lines[at], authorization, fields = line, None, None
    received = head if len(head) <= _MAX_REMEMBERED else b""
    return RequestHead(target, lines, last.meaning, authorization, fields, received, after, before)


def _repeated(head: bytes, start: int, target: bytes, last: RequestHead) -> RequestHead | None:
    """By the head before it, of the same method, where the fields that mean something to a proxy repeat."""
    if head.endswith(last.after):
        request = _with_same_fields(head, start, target, last)
        if request is not None:
            return request
    size, meaning = len(head) - start - 4, last.meaning
    if not last.after or not 0 < size <= _MAX_REMEMBERED:
        return None
    at, lines = meaning.authorization_at, head[start:-4].split(b"\r\n")
    if meaning.starts is None:
        meaning.starts = starts_of(last.lines, meaning.marks, _CREDENTIAL if at >= 0 else _NO_KINDS)
    if not repeats(lines, last.lines, meaning.starts):
        return None
    received = head if len(head) <= _MAX_REMEMBERED else b""
    if at < 0 or lines[at] == last.authorization_line:
        return RequestHead(target, lines, meaning, last._authorization, None, received, head[start:])
    before, after = None, head[start:]
    if lines[:at] == last.lines[:at] and lines[at + 1 :] == last.lines[at + 1 :]:
        first = sum([len(line) + 2 for line in lines[:at]])
        before, after = after[:first], after[first + len(lines[at]) :]
    return RequestHead(target, lines, meaning, None, None, received, after, before)


def _parsed(
    head: bytes, start: int, method: bytes, target: bytes, version: int, is_plain: bool, max_fields: int
) -> RequestHead:
    try:
        fields, marks = parse_fields(head, start)
    except Malformed as exc:
        raise BadRequest(400, "fields", f"Malformed header section: {exc}.") from exc
    if len(fields) > max_fields:
        raise BadRequest(431, "too_long", f"There are more than {max_fields} header fields.")
    authority = None
    if not is_plain:
        target, authority = _split_target(method, target)
    lines = head[start:-4].split(b"\r\n") if fields else []
    meaning = RequestMeaning(method, version, marks)
    authorization = _read_fields(meaning, fields, authority)
    after = head[start:] if is_plain and fields and len(head) - start - 4 <= _MAX_REMEMBERED else b""
    received = head if after and len(head) <= _MAX_REMEMBERED else b""
    return RequestHead(target, lines, meaning, authorization, fields, received, after)


def _refuse_request_line(line: bytes) -> NoReturn:
    parts = line.rstrip(b"\r\n").split(b" ")
    if len(parts) == 3 and re.fullmatch(rb"HTTP/[0-9]+(\.[0-9]+)?", parts[2]) and not parts[2].startswith(b"HTTP/1."):
        raise BadRequest(505, "version", "This server speaks HTTP/1.1.")
    raise BadRequest(400, "request_line", "Malformed request line: wanted `method SP request-target SP HTTP/1.1`.")


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None]:
    """(origin-form or `*`, authority of an absolute-form) (RFC 9112 §3.2)."""
    if method == b"CONNECT":
        raise BadRequest(501, "target", "CONNECT is not supported: this is not a tunnel.")
    if b"#" in target:
        raise BadRequest(400, "target", "A request target has no fragment.")
    if target != b"*":
        return _split_absolute(method, target)
    if method != b"OPTIONS":
        raise BadRequest(400, "target", "Only OPTIONS may use the asterisk-form.")
    return target, None


def _split_absolute(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].lower() not in (b"http", b"https"):
        raise BadRequest(
            400, "target", "The request target must be in origin-form, absolute-form (http, https) or asterisk-form."
        )
    authority, path, query = absolute[2], absolute[3], absolute[4] or b""
    if not authority or not _HOST.fullmatch(authority) or authority.startswith(b":"):
        raise BadRequest(400, "target", "The authority of the request target is not host[:port].")
    if not path:
        path = b"*" if method == b"OPTIONS" and not query else b"/"
    return path + query, authority


def _read_fields(meaning: RequestMeaning, fields: Pairs, authority: bytes | None) -> bytes | None:
    """Gives the Authorization; see RequestHead."""
    authorization = host = length = coding = connection = upgrade = te = expect = None
    for kind, index in meaning.marks:
        value = fields[index][1].rstrip(b" \t")
        if kind == HOST:
            if host is not None:
                raise BadRequest(400, "host", "There is more than one Host field.")
            host = value
        elif kind == AUTHORIZATION:
            meaning.authorization_at = index if authorization is None else -1
            authorization = value if authorization is None else b""
        elif kind == CONNECTION:
            connection = joined(connection, value)
        elif kind == LENGTH:
            length = joined(length, value)
        elif kind == TRANSFER_ENCODING:
            coding = joined(coding, value)
        elif kind == EXPECT:
            expect = joined(expect, value)
        elif kind == UPGRADE:
            upgrade = joined(upgrade, value)
        elif kind == TE:
            te = joined(te, value)
        elif kind in _TELLING:
            meaning.told = True
    _read_host(meaning, host, authority)
    if length is not None or coding is not None:
        _read_framing(meaning, length, coding)
    if meaning.version == 10:
        meaning.keep_alive = False
    if connection is not None:
        _read_connection(meaning, connection, upgrade)
    if te is not None:
        meaning.te_trailers = b"trailers" in options((te,))
    if expect is not None:
        _read_expect(meaning, expect)
    return authorization


def joined(so_far: bytes | None, value: bytes) -> bytes:
    """Lines of one name are one list (RFC 9110 §5.3)."""
    return value if so_far is None else b"%b,%b" % (so_far, value)


def _read_host(meaning: RequestMeaning, host: bytes | None, authority: bytes | None) -> None:
    if host is None:
        if meaning.version == 11:
            raise BadRequest(400, "host", "An HTTP/1.1 request needs a Host field.")
        meaning.has_host_field = False
    elif host not in _good_hosts:
        if not is_host(host):
            raise BadRequest(400, "host", "The Host field is not host[:port].")
        if len(_good_hosts) < _MAX_CACHED:
            _good_hosts.add(host)
    meaning.host = host if authority is None else authority


def is_host(text: bytes) -> bool:
    """Whether it is uri-host [":" port] (RFC 9110 §7.2)."""
    return _HOST.fullmatch(text) is not None


def _read_framing(meaning: RequestMeaning, length: bytes | None, coding: bytes | None) -> None:
    """RFC 9112 §6.1 and §6.3: what could be read in two ways is refused."""
    if coding is not None:
        if length is not None:
            raise BadRequest(400, "framing", "Both Transfer-Encoding and Content-Length are present.")
        if meaning.version == 10:
            raise BadRequest(400, "framing", "Transfer-Encoding in an HTTP/1.0 request.")
        names = options((coding,))
        if not names or names[-1] != b"chunked" or b"chunked" in names[:-1] or b"identity" in names:
            raise BadRequest(400, "framing", "chunked must be the last transfer coding, and occur once.")
        if len(names) > 1:
            raise BadRequest(501, "framing", "Only the transfer coding chunked is implemented.")
        meaning.length = None
        return
    if length is None or not DIGITS.fullmatch(length):
        raise BadRequest(400, "framing", "Content-Length is not one decimal number.")
    meaning.length = int(length)


def _read_connection(meaning: RequestMeaning, connection: bytes, upgrade: bytes | None) -> None:
    if connection in KEEP_ALIVE_OPTIONS:
        meaning.keep_alive = True
        return
    names = options((connection,))
    if b"close" in names:
        meaning.keep_alive = False
    elif meaning.version == 10:
        meaning.keep_alive = b"keep-alive" in names
    meaning.connection = nominated(names)
    if b"upgrade" in names and upgrade is not None and meaning.version == 11:
        is_handshake = meaning.method == b"GET" and meaning.length == 0  # RFC 6455 §4.1
        meaning.upgrades = tuple([name for name in options((upgrade,)) if is_handshake or name != b"websocket"])


def _read_expect(meaning: RequestMeaning, expect: bytes) -> None:
    if meaning.version == 10:
        return
    if set(options((expect,))) != {b"100-continue"}:
        raise BadRequest(417, "expectation", "The only expectation known is 100-continue.")
    meaning.expect_continue = meaning.length != 0
