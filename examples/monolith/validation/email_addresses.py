"""E-mail addresses as class-validator 0.13 accepts them by default; found by running it."""

import re
from typing import Any

_MOST_LOCAL_BYTES, _MOST_DOMAIN_BYTES = 64, 254
_LETTERS = "\u00a1-\u2027\u202a-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
"""Letters beyond ASCII in local parts. Unlike class-validator, without line and paragraph separators."""
_ATOM = rf"[a-z\d!#$%&'*+/=?^_`{{|}}~\u00a0{_LETTERS}-]+"
_IN_QUOTES = rf"(?:[ !#-\[\]-~\u00a0{_LETTERS}]|\\[ -~\u00a0{_LETTERS}])*"
_QUOTED = rf'"(?:{_IN_QUOTES}[^\x00-\x1f\x7f-\x9f\u2028\u2029\U00010000-\U0010ffff])?'
"""class-validator does not check the last character: it need not be a quote. Unlike there, controls are refused."""
_OF_LABEL = r"a-z\d\u00a1-\u2027\u202a-\uff00\uff5f-\U0010ffff"
_LABEL = rf"[{_OF_LABEL}](?:[{_OF_LABEL}-]{{0,61}}[{_OF_LABEL}])?"
_OF_TOP = r"a-z\u00a1-\u00a8\u00aa-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\ud7ff"
_OF_TOP += r"\uf900-\ufdcf\ufdf0-\ufefe\uff00\uff5f-\uffef"
_TOP = rf"(?:[{_OF_TOP}]{{2,63}}|xn[a-z\d-]{{1,60}}[a-z\d])"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*|{_QUOTED}", re.IGNORECASE | re.ASCII)
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_TOP}", re.IGNORECASE | re.ASCII)


def is_email(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    local, _, domain = value.rpartition("@")
    if _bytes(local) > _MOST_LOCAL_BYTES or _bytes(domain) > _MOST_DOMAIN_BYTES:
        return False
    return _LOCAL.fullmatch(local) is not None and _DOMAIN.fullmatch(domain) is not None


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))
