"""Reads the folder of templates; reports all its faults at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extracted.mailer.domain import RAW, Policy
from extracted.mailer.ports import RequestInvalid
from extracted.mailer.templating.render import HTML, SUBJECT, TEXT, Renderer
from extracted.mailer.templating.template_faults import LAYOUT, template_faults
from extracted.mailer.templating.variables import GIVEN, Links, MailTemplate, Variable, checked_variables

ENGLISH: Final = "en"

_NAME = r"[a-z][a-z0-9_]{0,63}"
_WORDS = re.compile(r"[^/]+/([a-z]{2,3}(?:-[A-Z]{2})?)\.jinja")
_DESCRIPTION = re.compile(rf"(?!{LAYOUT}/)[^/]+/kind\.yaml")


class TemplatesInvalid(Exception):
    """The folder cannot be used; the message has one line for each fault."""


class _Description(BaseModel):
    """kind.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy
    variables: Mapping[Annotated[str, Field(pattern=rf"^{_NAME}$")], Variable]


def read(folder: Path, links: Links) -> tuple[Mapping[str, MailTemplate], Renderer]:
    """The templates by kind, and their renderer. Raises TemplatesInvalid."""
    faults: list[str] = []
    texts = _texts(folder, faults)
    templates = _templates(texts, faults)
    jinja = {name: text for name, text in texts.items() if not name.endswith(".yaml")}
    renderer = Renderer(jinja)
    faults += template_faults(renderer, frozenset(jinja), templates, links)
    if not texts:
        faults = [f"{folder}: no kinds of mail found"]
    if faults:
        raise TemplatesInvalid("\n".join(faults))
    return templates, renderer


def _texts(folder: Path, faults: list[str]) -> Mapping[str, str]:
    """Every file except hidden ones, by its path in the folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    found = {path.relative_to(folder).as_posix(): _text(path) for path in files}
    faults += [f"{name}: cannot be read, or is not UTF-8" for name, text in found.items() if text is None]
    faults += [
        f"{name}: unknown file; wanted KIND/kind.yaml and KIND/LOCALE.jinja, such as fr.jinja or fr-CA.jinja"
        for name in found
        if name not in (SUBJECT, TEXT, HTML) and not _WORDS.fullmatch(name) and not _DESCRIPTION.fullmatch(name)
    ]
    return {name: text for name, text in found.items() if text is not None}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _templates(texts: Mapping[str, str], faults: list[str]) -> Mapping[str, MailTemplate]:
    """Those with a valid description."""
    templates: dict[str, MailTemplate] = {}
    for name in sorted({file.partition("/")[0] for file in texts if "/" in file} - {LAYOUT}):
        if not re.fullmatch(_NAME, name) or name == RAW:
            faults.append(f"{name}: not a valid kind; expected lower-case letters, digits and _ (not {RAW})")
        locales = {match[1] for file in texts if file.startswith(f"{name}/") and (match := _WORDS.fullmatch(file))}
        if ENGLISH not in locales:
            faults.append(f"{name}/{ENGLISH}.jinja: missing; every kind has English")
        if description := _description(f"{name}/kind.yaml", texts, faults):
            templates[name] = MailTemplate(description.policy, description.variables, frozenset(locales))
    return templates


def _description(file: str, texts: Mapping[str, str], faults: list[str]) -> _Description | None:
    if file not in texts:
        faults.append(f"{file}: missing")
        return None
    try:
        description = _Description.model_validate(yaml.safe_load(texts[file]))
        checked_variables(description.variables, {n: v.sample for n, v in description.variables.items()})
    except ValidationError as error:
        faults += [f"{file}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return None
    except (yaml.YAMLError, RequestInvalid) as error:
        faults.append(f"{file}: {' '.join(str(error).split())}")
        return None
    faults += [f"{file}: {name} is given to every template" for name in sorted(GIVEN & description.variables.keys())]
    return description
