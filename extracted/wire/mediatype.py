"""Reads Content-Type as Express does (RFC 9110 §8.3), and knows the charsets of its JSON parser."""

import re

_WORD = r"[!#$%&'*+.^_`|~\w-]+"
_PARAMETER = re.compile(rf"""; *({_WORD}) *= *({_WORD}|"(?:[^"\\]|\\.)*") *""", re.ASCII)
_CONTENT_TYPE = re.compile(rf" *({_WORD}/{_WORD}) *((?:{_PARAMETER.pattern})*)", re.ASCII)
_CODECS = ("utf-8", "utf-16", "utf-16le", "utf-16be", "utf-7")


def parse(field: str) -> tuple[str, str]:
    """(type, charset). The last charset wins; without one it is "utf-8". A malformed field has no type."""
    found = _CONTENT_TYPE.fullmatch(field)
    if found is None:
        return "", ""
    parameters = {name.lower(): value for name, value in _PARAMETER.findall(found[2])}
    charset = re.sub(r'^"|\\(.)|"$', r"\1", parameters.get("charset", ""))
    return found[1].lower(), charset.lower() or "utf-8"


def codec(charset: str) -> str | None:
    """Compares only letters and digits, as iconv-lite does. None: an unknown charset."""
    wanted = re.sub(r"[^a-z0-9]", "", charset)
    return next((name for name in _CODECS if name.replace("-", "") == wanted), None)
