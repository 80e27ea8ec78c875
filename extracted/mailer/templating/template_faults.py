"""Finds faults in templates at start: renders each one with its samples."""

from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import TemplateError

from extracted.mailer.templating.render import HTML, SUBJECT, TEXT, Renderer
from extracted.mailer.templating.variables import GIVEN, Links, MailTemplate, filled

LAYOUT: Final = "layout"
"""The one folder that is no kind of mail."""
_LAYOUTS = frozenset({SUBJECT, TEXT, HTML})


def template_faults(
    renderer: Renderer, names: frozenset[str], templates: Mapping[str, MailTemplate], links: Links
) -> Iterator[str]:
    """First the syntax of all templates; then everything else of those with the right syntax."""
    faults = {name: fault for name in sorted(names) if (fault := _syntax_fault(renderer, name))}
    faults |= {name: f"{name}: missing" for name in sorted(_LAYOUTS - names)}
    yield from faults.values()
    if any(name.startswith(f"{LAYOUT}/") for name in faults):
        return
    for name, mail_template in templates.items():
        for locale in sorted(mail_template.locales):
            if f"{name}/{locale}.jinja" not in faults:
                yield from _word_faults(renderer, name, mail_template, locale, links)


def _syntax_fault(renderer: Renderer, name: str) -> str | None:
    try:
        renderer.blocks(name)
    except TemplateError as error:
        return f"{name}: {_told(error)}"
    return None


def _word_faults(
    renderer: Renderer, name: str, mail_template: MailTemplate, locale: str, links: Links
) -> Iterator[str]:
    template = f"{name}/{locale}.jinja"
    for variable in sorted(renderer.variables(template) - mail_template.variables.keys() - GIVEN):
        yield f"{template}: uses the variable {variable}, which {name}/kind.yaml does not declare"
    known = {block for layout in _LAYOUTS for block in renderer.blocks(layout)}
    for block in sorted(renderer.blocks(template) - known):
        yield f"{template}: fills the block {block}, which no layout has"
    if fault := _writing_fault(renderer, template, filled(links, locale, mail_template.samples)):
        yield f"{template}: {fault}"


def _writing_fault(renderer: Renderer, template: str, values: Mapping[str, object]) -> str | None:
    """Of a branch that the samples do not take, only the variables are checked."""
    try:
        rendered = renderer.rendered(template, values)
    except Exception as error:  # a template may raise anything
        return _told(error)
    return None if rendered.subject else "its subject is empty"


def _told(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return f"line {line}: {error}" if line else str(error)
