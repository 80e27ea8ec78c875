"""Request bodies as Express' parsers read them: JSON, then forms; anything else is an empty object."""

import codecs
import zlib
from email.message import Message
from typing import Any

from starlette.requests import ClientDisconnect, Request

from examples.monolith.javascript import parse
from examples.monolith.querystring import TooManyParameters, parse_form
from examples.monolith.refusals import Refusal, bad_request, unparsed
from examples.monolith.v8_syntax import SyntaxFault, first_unit

MAX_BYTES = 102_400
_JSON_SPACE = " \t\n\r"
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


async def read_body(request: Request) -> Any:
    """The parsed body. Raises Refusal: 400, 413, 415, before anything else of the request is looked at."""
    kind = _media_type(request)
    if kind.get_content_type() == "application/json":
        return _json(await _text(request, kind, any_unicode=True))
    if kind.get_content_type() == "application/x-www-form-urlencoded":
        return _form(await _text(request, kind, any_unicode=False))
    return {}


def _media_type(request: Request) -> Message:
    """An empty message (text/plain) when there is no body."""
    message = Message()
    headers = request.headers
    if "transfer-encoding" in headers or "content-length" in headers:
        message["content-type"] = headers.get("content-type", "")
    return message


async def _text(request: Request, kind: Message, *, any_unicode: bool) -> str:
    charset = str(kind.get_param("charset") or "utf-8").lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if not (charset.startswith("utf-") if any_unicode else charset == "utf-8"):
        raise _unsupported_charset(charset)
    if encoding != "identity" and encoding not in _WINDOW_BITS:
        raise unparsed(415, f'unsupported content encoding "{encoding}"')
    if not _known(charset):
        raise _unsupported_charset(charset)
    return (await _received(request, encoding)).decode(charset, "replace").removeprefix("\ufeff")


def _known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except LookupError:
        return False
    return True


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
    return _inflated(bytes(received), _WINDOW_BITS[encoding]) if received and encoding != "identity" else received


def _inflated(raw: bytes, window_bits: int) -> bytes:
    stream = zlib.decompressobj(window_bits)
    try:
        inflated = stream.decompress(raw, MAX_BYTES + 1)
    except zlib.error as error:
        raise unparsed(400, str(error).rpartition(": ")[2]) from error
    if len(inflated) > MAX_BYTES:
        raise unparsed(413, "request entity too large")
    if not stream.eof:
        raise unparsed(400, "unexpected end of file")
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
