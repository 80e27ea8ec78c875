"""Which texts are e-mail addresses, by the rules of the monolith's validator (class-validator 0.13, default options).

It accepts some addresses that no mail server accepts; Mailer reports those. It accepts no controls and line ends.
"""

import re
from typing import Final

from extracted.wire.validation import Rule

_MOST_OCTETS_BEFORE, _MOST_OCTETS_AFTER = 64, 254
_MOST_OF_LABEL = 63
_OTHER_SCRIPTS = r"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
_WORD = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_OTHER_SCRIPTS}-]+")
_IN_QUOTES = re.compile(rf'(?:[ -~{_OTHER_SCRIPTS}](?<!["\\])|\\[ -~{_OTHER_SCRIPTS}])*')
_LABEL = re.compile(r"(?!-)[A-Za-z0-9\u00a1-\uff00\uff5f-\U0010ffff-]+(?<!-)")
_TOP = re.compile(
    r"[A-Za-z\u00a1-\u00a8\u00aa-\ud7ff\uf900-\ufdcf\ufdf0-\ufefe\uff00-\uffef]{2,}|[xX][nN][A-Za-z0-9-]{2,}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BLANK = re.compile(r"\s")


def is_address(value: object) -> bool:
    """Words separated by dots, or a quoted text; then a domain of two labels or more, the last no number."""
    if not isinstance(value, str) or _CONTROL.search(value):
        return False
    before, _, after = value.rpartition("@")
    if _octets(before) > _MOST_OCTETS_BEFORE or _octets(after) > _MOST_OCTETS_AFTER:
        return False
    return _is_mailbox(before) and _is_domain(after)


def _is_mailbox(text: str) -> bool:
    """In a quoted text, the validator ignores the last character, and accepts none beyond 16 bits."""
    if text.startswith('"'):
        return max(text) <= "\uffff" and _IN_QUOTES.fullmatch(text[1:-1]) is not None
    return all(map(_WORD.fullmatch, text.split(".")))


def _is_domain(text: str) -> bool:
    *others, top = text.split(".")
    labels = all(len(label) <= _MOST_OF_LABEL and _LABEL.fullmatch(label) for label in (*others, top))
    return labels and bool(others) and _TOP.fullmatch(top) is not None and not _BLANK.search(top)


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


ADDRESS: Final = Rule(is_address, "must be an email")
