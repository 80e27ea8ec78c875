"""The folder of templates as values, with all that is wrong in it told at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import yaml
from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extracted.mailer.domain import RAW, Policy
from extracted.mailer.ports import RequestInvalid
from extracted.mailer.render import HTML, SUBJECT, TEXT, Renderer
from extracted.mailer.variables import GIVEN, Links, Variable, checked_variables, filled

ENGLISH: Final = "en"
LAYOUT: Final = "layout"
"""The folder that is no kind."""

_NAME = r"[a-z][a-z0-9_]{0,63}"
_WORDS = re.compile(r"[^/]+/([a-z]{2,3}(?:-[A-Z]{2})?)\.jinja")
_LAYOUTS = frozenset({SUBJECT, TEXT, HTML})


class TemplatesInvalid(Exception):
    """The folder cannot be used; the message has one line a fault."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a folder of templates says of itself."""

    policy: Policy
    variables: Mapping[str, Variable]
    locales: frozenset[str]


class _Description(BaseModel):
    """kind.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy
    variables: Mapping[Annotated[str, Field(pattern=rf"^{_NAME}$")], Variable]


def read(folder: Path, links: Links) -> tuple[Mapping[str, Kind], Renderer]:
    """Every kind by name, and what writes them. Raises TemplatesInvalid."""
    texts = _texts(folder)
    renderer = Renderer({name: text for name, text in texts.items() if not name.endswith(".yaml")})
    read_kinds = {name: _kind(name, texts) for name in _kind_names(texts)}
    kinds = {name: kind for name, kind in read_kinds.items() if isinstance(kind, Kind)}
    faults = [fault for found in read_kinds.values() if isinstance(found, list) for fault in found]
    faults += _unknown_files(texts)
    faults += _template_faults(renderer, texts, kinds, links)
    if faults or not kinds:
        raise TemplatesInvalid("\n".join(dict.fromkeys(faults)) or f"{folder}: there is no kind of mail")
    return kinds, renderer


def _texts(folder: Path) -> Mapping[str, str]:
    """Every file but hidden ones, by its path within the folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    try:
        return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise TemplatesInvalid(f"{folder}: cannot be read: {error}") from error


def _kind_names(texts: Mapping[str, str]) -> list[str]:
    return sorted({name.partition("/")[0] for name in texts if "/" in name} - {LAYOUT})


def _unknown_files(texts: Mapping[str, str]) -> Iterator[str]:
    for name in texts:
        if not (name in _LAYOUTS or _WORDS.fullmatch(name) or re.fullmatch(rf"(?!{LAYOUT}/)[^/]+/kind\.yaml", name)):
            yield f"{name}: unknown file; wanted KIND/kind.yaml and KIND/LOCALE.jinja, such as fr.jinja or fr-CA.jinja"


def _kind(name: str, texts: Mapping[str, str]) -> Kind | list[str]:
    """The kind, or what is wrong with its description."""
    faults = [] if f"{name}/{ENGLISH}.jinja" in texts else [f"{name}/{ENGLISH}.jinja: missing; every kind has English"]
    if not re.fullmatch(_NAME, name) or name == RAW:
        faults.append(f"{name}: no name for a kind; wanted small letters, digits and _, but not {RAW}")
    description = _description(name, texts.get(f"{name}/kind.yaml"))
    if isinstance(description, list) or faults:
        return faults + (description if isinstance(description, list) else [])
    locales = frozenset(match[1] for file in texts if file.startswith(f"{name}/") and (match := _WORDS.fullmatch(file)))
    return Kind(description.policy, description.variables, locales)


def _description(name: str, text: str | None) -> _Description | list[str]:
    if text is None:
        return [f"{name}/kind.yaml: missing"]
    try:
        description = _Description.model_validate(yaml.safe_load(text))
        checked_variables(description.variables, {n: v.sample for n, v in description.variables.items()})
    except ValidationError as error:
        return [f"{name}/kind.yaml: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    except (yaml.YAMLError, RequestInvalid) as error:
        return [f"{name}/kind.yaml: {' '.join(str(error).split())}"]
    return description if not GIVEN & description.variables.keys() else [f"{name}/kind.yaml: {GIVEN} are given to all"]


def _template_faults(
    renderer: Renderer, texts: Mapping[str, str], kinds: Mapping[str, Kind], links: Links
) -> Iterator[str]:
    """Syntax of all templates; of those that have it, everything else."""
    broken = {name: fault for name in texts if not name.endswith(".yaml") and (fault := _syntax_fault(renderer, name))}
    yield from broken.values()
    if any(name in broken for name in texts if name.startswith(f"{LAYOUT}/")):
        return
    for name, kind in kinds.items():
        for locale in sorted(kind.locales):
            if f"{name}/{locale}.jinja" not in broken:
                yield from _word_faults(renderer, name, kind, locale, links)


def _syntax_fault(renderer: Renderer, name: str) -> str | None:
    try:
        renderer.blocks(name)
    except TemplateError as error:
        return f"{name}: {_told(error)}"
    return None


def _word_faults(renderer: Renderer, name: str, kind: Kind, locale: str, links: Links) -> Iterator[str]:
    template = f"{name}/{locale}.jinja"
    for variable in sorted(renderer.variables(template) - kind.variables.keys() - GIVEN):
        yield f"{template}: uses the variable {variable}, which {name}/kind.yaml does not declare"
    for block in sorted(renderer.blocks(template) - _known_blocks(renderer)):
        yield f"{template}: fills the block {block}, which no layout has"
    samples = {n: variable.sample for n, variable in kind.variables.items()}
    try:
        rendered = renderer.rendered(template, filled(links, locale, samples))
    except Exception as error:  # a template may raise anything
        yield f"{template}: {_told(error)}"
    else:
        if not rendered.subject:
            yield f"{template}: its subject is empty"


def _known_blocks(renderer: Renderer) -> set[str]:
    return {block for layout in _LAYOUTS for block in renderer.blocks(layout)}


def _told(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return f"line {line}: {error}" if line else str(error)
