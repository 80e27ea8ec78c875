"""Reverse and forward paths of MAIL and RCPT (RFC 5321 section 4.1.2): what the envelope keeps of them."""

import re
from typing import Final

from extracted.mailer.addresses import canonical
from extracted.mailer.ports import RequestInvalid

NO_PATH: Final = "<>"
MALFORMED: Final = "553 5.1.3 Error: malformed address"
_STAND_IN: Final = "<a@b>"
_PARAMETERS: Final = r"(?:[ ]+([!-'*-~]+(?:[ ]+[!-'*-~]+)*))?"
_PATH: Final = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>' + _PARAMETERS)
_ODD_PATH: Final = re.compile(r"<([^<>\x00-\x1f\x7f-\x9f]*@[^<>\x00-\x1f\x7f-\x9f]*)>" + _PARAMETERS)
_MAX_ODD: Final = 400
"""Octets; the longest that the monolith takes from a user has 319."""


def split(argument: str | None) -> tuple[str | None, str | None]:
    """Of `FROM:<path> parameters`: the path (None: it is none), and the argument with a stand-in for the path.

    aiosmtpd checks keyword and parameters of the second; its own reading of addresses fails on some texts.
    """
    if argument is None or ":" not in argument:
        return None, argument
    keyword, _, rest = argument.partition(":")
    found = _PATH.fullmatch(rest.strip()) or _ODD_PATH.fullmatch(rest.strip())
    if found is None:
        return None, f"{keyword}:{_STAND_IN}"
    return found[1] or NO_PATH, f"{keyword}:{_STAND_IN} {found[2] or ''}".rstrip()


def sender(path: str) -> str | None:
    """`<>` for a mail without sender; None: no address."""
    return path if path == NO_PATH else _canonical(path)


def recipient(path: str) -> str | None:
    """What is no address is kept as a user gave it, as a refusal would end the monolith (C11); it fails when sent."""
    is_odd = "@" in path and len(path.encode()) <= _MAX_ODD
    return _canonical(path) or (path if is_odd else None)


def _canonical(path: str) -> str | None:
    try:
        return canonical(path)
    except RequestInvalid:
        return None
