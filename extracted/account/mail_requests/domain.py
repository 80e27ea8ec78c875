"""The mail that Account asks for. Kinds and variables are Mailer's: its templates name them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from unicodedata import category

from extracted.account.domain import Compat

DEFAULT_LOCALE: Final = "en"
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""Unicode's categories of controls, line and paragraph separators, halves of characters."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where mail reaches a user; `language` is the language in the user's settings: en, fr or none."""

    username: str
    address: str = field(repr=False)
    language: str | None


@dataclass(frozen=True, slots=True)
class MailRequest:
    """What Mailer is asked to write. `locale` is en or fr."""

    kind: str
    recipient: str
    locale: str
    variables: Mapping[str, str] = field(repr=False)


ComposeMail = Callable[[Addressee], MailRequest]
"""Makes the request as soon as the addressee is known."""
ComposeMailWith = Callable[[Addressee, Mapping[str, str]], MailRequest]
"""The same, with further variables of the kind, which are known as late."""


def verification(token: str, compat: Compat) -> ComposeMail:
    """Asks an addressee to show that the address is theirs."""
    return lambda to: _request("verify_account", to, {"token": token}, compat)


def of_kind(kind: str, compat: Compat) -> ComposeMailWith:
    """Tells an addressee, by name, what the variables say."""
    return lambda to, variables: _request(kind, to, variables, compat)


def _request(kind: str, to: Addressee, variables: Mapping[str, str], compat: Compat) -> MailRequest:
    told = {"username": to.username, **variables}
    return MailRequest(kind, to.address, _locale(to, compat), {name: _in_a_line(text) for name, text in told.items()})


def _in_a_line(text: str) -> str:
    """Replaces line ends and controls by blanks: the monolith takes names that contain them, Mailer does not."""
    return "".join(" " if category(character) in _NOT_IN_A_LINE else character for character in text)


def _locale(to: Addressee, compat: Compat) -> str:
    """The monolith writes English to everybody."""
    return DEFAULT_LOCALE if compat is Compat.STRICT else to.language or DEFAULT_LOCALE
