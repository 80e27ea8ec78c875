"""Bodies without their content codings (RFC 9110 §8.4), never more than a given size. Pure."""

import zlib

Fields = list[tuple[bytes, bytes]]
_WINDOW = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_MAX_CODINGS = 4


class Undecodable(ValueError):
    """The coding is not known here, or the bytes do not hold to it."""


class TooLarge(ValueError):
    """Decoded, the body is longer than the bound."""


def decodable(fields: Fields) -> bool:
    """Whether all codings that Content-Encoding names are known here."""
    return all(coding in _WINDOW for coding in _codings(fields))


def decode(body: bytes, fields: Fields, max_body: int) -> bytes:
    """The body as it was before the codings that Content-Encoding names. Raises Undecodable, TooLarge."""
    codings = _codings(fields)
    if len(codings) > _MAX_CODINGS:
        raise Undecodable(f"{len(codings)} content codings")
    for coding in reversed(codings if body else []):
        body = _inflate(body, coding, max_body)
    return body


def _codings(fields: Fields) -> list[bytes]:
    names = b",".join(value for name, value in fields if name.lower() == b"content-encoding").lower().split(b",")
    return [coding for name in names if (coding := name.strip()) not in (b"", b"identity")]


def _inflate(body: bytes, coding: bytes, max_body: int) -> bytes:
    window = _WINDOW.get(coding)
    if window is None:
        raise Undecodable(f"content coding {coding[:20]!r}")
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, max_body + 1)
    except zlib.error as error:
        raise Undecodable(str(error)) from error
    if len(plain) > max_body:
        raise TooLarge(f"more than {max_body} bytes")
    if not inflater.eof:
        raise Undecodable("ends too early")
    return plain
