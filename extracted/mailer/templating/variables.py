"""The values for templates: a kind's variables, checked at the request, and links from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from extracted.mailer.domain import Policy, Variables
from extracted.mailer.ports import RequestInvalid

MAX_LENGTH: Final = 2000
GIVEN: Final = frozenset({"locale", "links", "medium"})
"""Given to every template, beside the kind's own variables."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Links:
    """Where mails link to: from settings, never from a request."""

    www_url: str
    verification_path: str = "/email/verification/"
    teams_path: str = "/teams"

    def __post_init__(self) -> None:
        if not self.www_url.startswith(("https://", "http://")):
            raise ValueError("the public URL of links begins with neither https:// nor http://")

    def in_templates(self) -> Mapping[str, str]:
        """links.www, links.verification (a token follows), links.teams."""
        www = self.www_url.rstrip("/")
        return {"www": www, "verification": www + self.verification_path, "teams": www + self.teams_path}


class Variable(BaseModel):
    """A variable in kind.yaml. Lengths in characters; previews use `sample`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sample: Annotated[str, Field(min_length=1)]
    max_length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] = MAX_LENGTH


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """The description of a kind of mail, from its folder."""

    policy: Policy
    variables: Mapping[str, Variable]
    locales: frozenset[str]

    @property
    def samples(self) -> Variables:
        """A sample value for each variable."""
        return {name: variable.sample for name, variable in self.variables.items()}


def checked_variables(wanted: Mapping[str, Variable], given: Mapping[str, object]) -> Variables:
    """Returns the values. Raises RequestInvalid, which names the variable and never shows its value."""
    if unknown := [name for name in given if name not in wanted]:
        raise RequestInvalid(f"{shown(unknown[0])} is not a variable of this kind; expected {', '.join(wanted)}")
    if missing := [name for name in wanted if name not in given]:
        raise RequestInvalid(f"the variable {missing[0]} is missing")
    return {name: _text(name, variable.max_length, given[name]) for name, variable in wanted.items()}


def filled(links: Links, locale: str, variables: Variables) -> Mapping[str, object]:
    """All values that a template may use."""
    return {**variables, "locale": locale, "links": links.in_templates()}


def shown(name: str) -> str:
    """A name from outside, made short and safe for a message."""
    return ascii(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def _text(name: str, max_length: int, value: object) -> str:
    if not isinstance(value, str):
        raise RequestInvalid(f"the variable {name} is not a text")
    if not 1 <= len(value) <= max_length:
        raise RequestInvalid(f"the variable {name} has {len(value)} characters; wanted 1 to {max_length}")
    if len(value.splitlines()) > 1 or any(map(_is_forbidden, value)):
        raise RequestInvalid(
            f"the variable {name} has a line break, a control character or an incomplete character (lone surrogate)"
        )
    return value


def _is_forbidden(character: str) -> bool:
    """Controls (C0, C1), line and paragraph separators, and surrogates, which UTF-8 cannot encode."""
    return (
        character < " "
        or "\x7f" <= character <= "\x9f"
        or character in "\u2028\u2029"
        or "\ud800" <= character <= "\udfff"
    )
