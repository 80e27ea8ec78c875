"""Request bodies as Express' parsers read them: JSON, then forms; anything else is an empty object."""

import re
import zlib
from typing import Any

from starlette.requests import ClientDisconnect, Request

from examples.monolith.http.javascript import parse
from examples.monolith.http.querystring import TooManyParameters, parse_form
from examples.monolith.http.refusals import Refusal, bad_request, unparsed
from examples.monolith.http.v8_syntax import SyntaxFault, first_unit

MAX_BYTES = 102_400
_JSON_SPACE = " \t\n\r"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'; *({_WORD}) *= *(?:"((?:[^"\\]|\\.)*)"|({_WORD})) *')
_CONTENT_TYPE = re.compile(rf"({_WORD}/{_WORD}) *((?:{_PARAMETER.pattern})*)")
_CODECS = {"utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf7": "utf-7"}
"""Those of iconv-lite whose names begin with `utf-`; it looks at letters and digits alone."""
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


async def read_body(request: Request) -> Any:
    """The parsed body. Raises Refusal: 400, 413, 415, before anything else of the request is looked at."""
    kind, charset = _content_type(request)
    if kind == "application/json":
        return _json(await _text(request, charset, any_unicode=True))
    if kind == "application/x-www-form-urlencoded":
        return _form(await _text(request, charset, any_unicode=False))
    return {}


def _content_type(request: Request) -> tuple[str, str]:
    """Type and charset; no type where there is no body, or where the field is not well-formed."""
    headers = request.headers
    found = _CONTENT_TYPE.fullmatch(headers.get("content-type", "").strip(" "))
    if found is None or not ("transfer-encoding" in headers or "content-length" in headers):
        return "", ""
    parameters = {name.lower(): token or quoted for name, quoted, token in _PARAMETER.findall(found[2])}
    charset = re.sub(r"\\(.)", r"\1", parameters.get("charset", ""))
    return found[1].lower(), charset.lower() or "utf-8"


async def _text(request: Request, charset: str, *, any_unicode: bool) -> str:
    encoding = request.headers.get("content-encoding", "").lower() or "identity"
    if not (charset.startswith("utf-") if any_unicode else charset == "utf-8"):
        raise _unsupported_charset(charset)
    if encoding != "identity" and encoding not in _WINDOW_BITS:
        raise unparsed(415, f'unsupported content encoding "{encoding}"')
    codec = _CODECS.get(re.sub(r"[^0-9a-z]", "", charset))
    if codec is None:
        raise _unsupported_charset(charset)
    return (await _received(request, encoding)).decode(codec, "replace").removeprefix("\ufeff")


async def _received(request: Request, encoding: str) -> bytes | bytearray:
    """All of it is read before it is refused; kept is no more than the limit."""
    received, too_large = bytearray(), False
    try:
        async for chunk in request.stream():
            too_large = too_large or len(received) + len(chunk) > MAX_BYTES
            received += b"" if too_large else chunk
    except ClientDisconnect as error:
        raise unparsed(400, "request aborted") from error
    if too_large:
        raise unparsed(413, "request entity too large")
    return received if encoding == "identity" else _inflated(bytes(received), _WINDOW_BITS[encoding])


def _inflated(raw: bytes, window_bits: int) -> bytes:
    """gzip may come in several members; a zero byte behind one is padding, as for Node."""
    inflated = b""
    while True:
        stream = zlib.decompressobj(window_bits)
        try:
            inflated += stream.decompress(raw, MAX_BYTES + 1 - len(inflated))
        except zlib.error as error:
            raise unparsed(400, str(error).rpartition(": ")[2]) from error
        if len(inflated) > MAX_BYTES:
            raise unparsed(413, "request entity too large")
        if not stream.eof:
            raise unparsed(400, "unexpected end of file")
        raw = stream.unused_data
        if window_bits != _WINDOW_BITS["gzip"] or raw[:1] in (b"", b"\0"):
            return inflated


def _json(text: str) -> Any:
    if not text:
        return {}
    first = text.lstrip(_JSON_SPACE)[:1]
    try:
        if first in ("{", "["):
            return parse(text)
        _refuse_scalar(text, first)
    except SyntaxFault as fault:
        raise bad_request(str(fault)) from fault


def _refuse_scalar(text: str, first: str) -> None:
    """Strict mode: a lone string or number is refused at its first character, as if V8 had met a stray sign there."""
    if not first:
        parse("")
    try:
        parse(text[: text.index(first)] + "#")
    except SyntaxFault as fault:
        raise SyntaxFault(str(fault).replace("#", first_unit(first), 1)) from None


def _form(text: str) -> Any:
    try:
        return parse_form(text)
    except TooManyParameters as error:
        raise unparsed(413, "too many parameters") from error
    except RecursionError:
        return []  # nested deeper than any body that passes validation


def _unsupported_charset(charset: str) -> Refusal:
    return unparsed(415, f'unsupported charset "{charset.upper()}"')
