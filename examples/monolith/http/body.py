"""Request bodies as Express reads them: JSON and forms; any other type is an empty object."""

import re
import zlib
from typing import Any

from starlette.requests import ClientDisconnect, Request

from examples.monolith.http.errors import HttpError, bad_request, body_error
from examples.monolith.http.javascript import parse
from examples.monolith.http.querystring import TooManyParameters, parse_form
from examples.monolith.http.v8_syntax import SyntaxFault, first_unit

MAX_BYTES = 102_400
_JSON_SPACE = " \t\n\r"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'; *({_WORD}) *= *(?:"((?:[^"\\]|\\.)*)"|({_WORD})) *')
_CONTENT_TYPE = re.compile(rf"({_WORD}/{_WORD}) *((?:{_PARAMETER.pattern})*)")
_CODECS = {"utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf7": "utf-7"}
"""The codecs of iconv-lite whose names begin with `utf-`; iconv-lite compares letters and digits only."""
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


async def read_body(request: Request) -> Any:
    """The parsed body. Raises HttpError (400, 413, 415) before any other check of the request."""
    kind, charset = _content_type(request)
    if kind == "application/json":
        return _json(await _text(request, charset, any_unicode=True))
    if kind == "application/x-www-form-urlencoded":
        return _form(await _text(request, charset, any_unicode=False))
    return {}


def _content_type(request: Request) -> tuple[str, str]:
    """Type and charset. The type is empty when there is no body or the field is malformed."""
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
        raise body_error(415, f'unsupported content encoding "{encoding}"')
    codec = _CODECS.get(re.sub(r"[^0-9a-z]", "", charset))
    if codec is None:
        raise _unsupported_charset(charset)
    return (await _received(request, encoding)).decode(codec, "replace").removeprefix("\ufeff")


async def _received(request: Request, encoding: str) -> bytes | bytearray:
    """Reads the whole body before it refuses it, but keeps no more than the limit."""
    received, too_large = bytearray(), False
    try:
        async for chunk in request.stream():
            too_large = too_large or len(received) + len(chunk) > MAX_BYTES
            received += b"" if too_large else chunk
    except ClientDisconnect as error:
        raise body_error(400, "request aborted") from error
    if too_large:
        raise body_error(413, "request entity too large")
    return received if encoding == "identity" else _inflated(bytes(received), _WINDOW_BITS[encoding])


def _inflated(raw: bytes, window_bits: int) -> bytes:
    """Reads several gzip members in a row; a zero byte after one is padding, as in Node."""
    inflated = b""
    while True:
        stream = zlib.decompressobj(window_bits)
        try:
            inflated += stream.decompress(raw, MAX_BYTES + 1 - len(inflated))
        except zlib.error as error:
            raise body_error(400, str(error).rpartition(": ")[2]) from error
        if len(inflated) > MAX_BYTES:
            raise body_error(413, "request entity too large")
        if not stream.eof:
            raise body_error(400, "unexpected end of file")
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
    """Strict mode refuses a lone string or number at its first character, in V8's words for an unexpected token."""
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
        raise body_error(413, "too many parameters") from error
    except RecursionError:
        return []  # too deep for any body that passes validation


def _unsupported_charset(charset: str) -> HttpError:
    return body_error(415, f'unsupported charset "{charset.upper()}"')
