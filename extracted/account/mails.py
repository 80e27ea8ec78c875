"""The mails that Account asks for: kinds and variables are Mailer's (its templates name them)."""

from collections.abc import Mapping
from typing import Final
from unicodedata import category

from extracted.account.domain import Addressee, Compat, MailAsked, Write, WriteOf

DEFAULT_LOCALE: Final = "en"
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""Unicode's categories of controls, line and paragraph separators, halves of characters."""


def verification(token: str, compat: Compat) -> Write:
    """Asks somebody to show that the address is theirs."""

    def write(to: Addressee) -> MailAsked:
        return MailAsked(
            "verify_account", to.address, locale(to, compat), {"username": in_a_line(to.username), "token": token}
        )

    return write


def of_kind(kind: str, compat: Compat) -> WriteOf:
    """Tells somebody by name what else is known."""

    def write(to: Addressee, told: Mapping[str, str]) -> MailAsked:
        variables = {"username": to.username, **told}
        return MailAsked(kind, to.address, locale(to, compat), {n: in_a_line(text) for n, text in variables.items()})

    return write


def in_a_line(text: str) -> str:
    """The monolith takes names with line ends and controls in them, Mailer does not: a blank for each."""
    return "".join(" " if category(character) in _NOT_IN_A_LINE else character for character in text)


def locale(to: Addressee, compat: Compat) -> str:
    """The monolith writes English to everybody."""
    return DEFAULT_LOCALE if compat is Compat.STRICT else to.language or DEFAULT_LOCALE
