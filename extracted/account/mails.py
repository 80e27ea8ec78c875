"""The mails that Account asks for: kinds and variables are Mailer's (its templates name them)."""

from collections.abc import Mapping
from typing import Final

from extracted.account.domain import Addressee, Compat, MailAsked, Write, WriteOf

DEFAULT_LOCALE: Final = "en"


def verification(token: str, compat: Compat) -> Write:
    """Asks somebody to show that the address is theirs."""

    def write(to: Addressee) -> MailAsked:
        return MailAsked("verify_account", to.address, locale(to, compat), {"username": to.username, "token": token})

    return write


def of_kind(kind: str, compat: Compat) -> WriteOf:
    """Tells somebody by name what else is known."""

    def write(to: Addressee, told: Mapping[str, str]) -> MailAsked:
        return MailAsked(kind, to.address, locale(to, compat), {"username": to.username, **told})

    return write


def locale(to: Addressee, compat: Compat) -> str:
    """The monolith writes English to everybody."""
    return DEFAULT_LOCALE if compat is Compat.STRICT else to.language or DEFAULT_LOCALE
