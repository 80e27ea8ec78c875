"""The kinds of mail: checks requests, chooses the language, renders."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from extracted.mailer.domain import Policy, Variables
from extracted.mailer.ports import Rendered, RequestInvalid
from extracted.mailer.templating.template_files import ENGLISH, read
from extracted.mailer.templating.variables import Links, MailTemplate, checked_variables, filled, shown

TEMPLATES: Final = Path(__file__).parents[1] / "templates"

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


class Templates:
    """Implements TemplateCatalog on a folder that is read once. Raises TemplatesInvalid, which lists every fault."""

    def __init__(self, links: Links, folder: Path = TEMPLATES) -> None:
        self._links = links
        self._templates, self._renderer = read(folder, links)

    def names(self) -> Sequence[str]:
        """All, sorted."""
        return sorted(self._templates)

    def locales(self, kind: str) -> Sequence[str]:
        """The locales of a kind, sorted. Raises RequestInvalid."""
        return sorted(self._template(kind).locales)

    def checked(self, kind: str, locale: str | None, variables: Mapping[str, object]) -> tuple[str, Variables, Policy]:
        """See the port."""
        known = self._template(kind)
        written_in = _locale(known, locale)
        return written_in, checked_variables(known.variables, variables), known.policy

    def rendered(self, kind: str, locale: str, variables: Variables) -> Rendered:
        """See the port. Raises RequestInvalid where the kind has changed since `checked`."""
        locale, variables, _ = self.checked(kind, locale, variables)
        return self._renderer.rendered(f"{kind}/{locale}.jinja", filled(self._links, locale, variables))

    def preview(self, kind: str, locale: str | None) -> Rendered:
        """See the port."""
        return self.rendered(kind, locale or ENGLISH, self._template(kind).samples)

    def _template(self, kind: str) -> MailTemplate:
        if kind not in self._templates:
            raise RequestInvalid(
                f"there is no kind of mail named {shown(kind)}; wanted one of {', '.join(self.names())}"
            )
        return self._templates[kind]


def _locale(template: MailTemplate, asked: str | None) -> str:
    if asked is None:
        return ENGLISH
    if not _LOCALE.fullmatch(asked):
        raise RequestInvalid("the locale is not valid; expected a language tag such as en, fr or fr-CA")
    by_lower = {locale.lower(): locale for locale in template.locales}
    return next((by_lower[tag] for tag in _wider(asked.lower().replace("_", "-")) if tag in by_lower), ENGLISH)


def _wider(tag: str) -> Sequence[str]:
    """`fr-ca` → `fr-ca`, `fr` (RFC 4647 section 3.4)."""
    subtags = tag.split("-")
    return ["-".join(subtags[:count]) for count in range(len(subtags), 0, -1)]
