"""The kinds of mail: what each may be asked with, in which language it is written, and what it then says."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from extracted.mailer.domain import Policy, Variables
from extracted.mailer.ports import Rendered, RequestInvalid
from extracted.mailer.templating.template_files import ENGLISH, TemplatesInvalid, read
from extracted.mailer.templating.variables import Kind, Links, checked_variables, filled, shown

__all__ = ["TEMPLATES", "Links", "Templates", "TemplatesInvalid"]

TEMPLATES: Final = Path(__file__).parents[1] / "templates"

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


class Templates:
    """The port `Kinds`: a folder of templates, read once. Raises TemplatesInvalid with all that is wrong in it."""

    def __init__(self, links: Links, folder: Path = TEMPLATES) -> None:
        self._links = links
        self._kinds, self._renderer = read(folder, links)

    def names(self) -> Sequence[str]:
        """All, sorted."""
        return sorted(self._kinds)

    def locales(self, kind: str) -> Sequence[str]:
        """Those that the kind is written in, sorted. Raises RequestInvalid."""
        return sorted(self._kind(kind).locales)

    def checked(self, kind: str, locale: str | None, variables: Mapping[str, object]) -> tuple[str, Variables, Policy]:
        """As the port has it."""
        known = self._kind(kind)
        written_in = _locale(known, locale)
        return written_in, checked_variables(known.variables, variables), known.policy

    def rendered(self, kind: str, locale: str, variables: Variables) -> Rendered:
        """What `checked` has passed. Raises RequestInvalid where the kind has changed since."""
        locale, variables, _ = self.checked(kind, locale, variables)
        return self._renderer.rendered(f"{kind}/{locale}.jinja", filled(self._links, locale, variables))

    def preview(self, kind: str, locale: str | None) -> Rendered:
        """Written with the kind's sample values. Raises RequestInvalid."""
        return self.rendered(kind, locale or ENGLISH, self._kind(kind).samples)

    def _kind(self, kind: str) -> Kind:
        if kind not in self._kinds:
            raise RequestInvalid(
                f"there is no kind of mail named {shown(kind)}; wanted one of {', '.join(self.names())}"
            )
        return self._kinds[kind]


def _locale(kind: Kind, asked: str | None) -> str:
    if asked is None:
        return ENGLISH
    if not _LOCALE.fullmatch(asked):
        raise RequestInvalid("the locale is none; wanted a language tag such as en, fr or fr-CA")
    by_lower = {locale.lower(): locale for locale in kind.locales}
    return next((by_lower[tag] for tag in _wider(asked.lower().replace("_", "-")) if tag in by_lower), ENGLISH)


def _wider(tag: str) -> Sequence[str]:
    """`fr-ca` → `fr-ca`, `fr` (RFC 4647 section 3.4)."""
    subtags = tag.split("-")
    return ["-".join(subtags[:count]) for count in range(len(subtags), 0, -1)]
