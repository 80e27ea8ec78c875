"""Reads request bodies and refuses what Express' body-parser refuses (corrections C7). It runs before all else."""

import zlib
from collections.abc import Mapping

from starlette.types import Receive

from extracted.wire import jsonsyntax, jsontext, mediatype, query
from extracted.wire.responses import TOO_LARGE, ApiResponse, error

_MOST_BYTES = 100 * 1024
_MOST_PARAMETERS = 1000
_MOST_INDICES = 100
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_BOM = "\ufeff"


class BodyRefused(Exception):
    """The body is refused. `answer` is the response."""

    def __init__(self, answer: ApiResponse) -> None:
        super().__init__(answer.status)
        self.answer = answer


async def read(fields: Mapping[str, str], receive: Receive) -> object:
    """The value of a JSON or form body. Other bodies stay unread and give {}. Raises BodyRefused."""
    media_type, charset = mediatype.parse(fields.get("content-type", ""))
    if not _has_body(fields) or media_type not in (_JSON, _FORM):
        return {}
    if not (charset.startswith("utf-") if media_type == _JSON else charset == "utf-8"):
        raise _unsupported(charset)
    window = _window(fields.get("content-encoding", "").lower() or "identity")
    codec = mediatype.codec(charset)
    if codec is None:
        raise _unsupported(charset)
    declared = fields.get("content-length", "")
    if window is None and declared.isdigit() and int(declared) > _MOST_BYTES:
        raise BodyRefused(TOO_LARGE)
    text = (await _content(receive, window)).decode(codec, "replace").removeprefix(_BOM)
    return (_json if media_type == _JSON else _form)(text)


def _has_body(fields: Mapping[str, str]) -> bool:
    return "transfer-encoding" in fields or fields.get("content-length", "").isdigit()


def _unsupported(charset: str) -> BodyRefused:
    return BodyRefused(error(415, f'unsupported charset "{charset.upper()}"'))


def _window(encoding: str) -> int | None:
    """The window bits of zlib for a content coding; None for identity."""
    if encoding != "identity" and encoding not in _WINDOWS:
        raise BodyRefused(error(415, f'unsupported content encoding "{encoding}"'))
    return _WINDOWS.get(encoding)


async def _content(receive: Receive, window: int | None) -> bytes:
    """Holds no more than the limit in memory, however well the body was compressed."""
    inflate = None if window is None else _Inflate(window)
    content = b""
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        content += chunk if inflate is None else inflate.add(chunk, _MOST_BYTES + 1 - len(content))
        if len(content) > _MOST_BYTES:
            raise BodyRefused(TOO_LARGE)
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            break
    if inflate is not None and not inflate.complete:
        raise BodyRefused(error(400, "unexpected end of file"))
    return content


class _Inflate:
    """Inflates as Node does: gzip may have several members, and a zero byte after one begins padding."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._member = zlib.decompressobj(window)
        self._padding = False

    @property
    def complete(self) -> bool:
        return self._member.eof

    def add(self, chunk: bytes, most: int) -> bytes:
        """The content of the chunk, at most `most` bytes."""
        inflated = b""
        try:
            while chunk and most > len(inflated) and not self._ended(chunk):
                inflated += self._member.decompress(chunk, most - len(inflated))
                chunk = self._member.unused_data
        except zlib.error as fault:
            raise BodyRefused(error(400, str(fault).rpartition(": ")[2])) from fault
        return inflated

    def _ended(self, chunk: bytes) -> bool:
        """Whether the rest is ignored; otherwise another member begins."""
        if self._member.eof:
            self._padding = self._padding or self._window != _WINDOWS["gzip"] or chunk[0] == 0
            if not self._padding:
                self._member = zlib.decompressobj(self._window)
        return self._padding


def _form(text: str) -> object:
    """Parses a form: unlike a query it may nest to any depth, and its lists may be longer."""
    separators = text.count("&")
    if separators >= _MOST_PARAMETERS:
        raise BodyRefused(error(413, "too many parameters"))
    try:
        return query.parse(text, deepest=len(text), largest_index=max(_MOST_INDICES, separators))
    except RecursionError:
        return jsontext.TOO_DEEP


def _json(text: str) -> object:
    """Parses in strict mode: an object, a list, or nothing."""
    if not text:
        return {}
    content = text.lstrip(" \t\n\r")
    if content[:1] in ("{", "["):
        fault = jsonsyntax.fault(text)
    else:
        position = len(text) - len(content)
        sign = jsonsyntax.first_unit(content[:1])
        fault = f"Unexpected token {sign} in JSON at position {position}" if content else jsonsyntax.fault("")
    if fault:
        raise BodyRefused(error(400, fault, "Bad Request"))
    return jsontext.parse(text)
