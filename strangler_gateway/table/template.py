"""Paths of routes.yaml: `/item/{id}`, `/files/{rest...}`. A variable is a whole segment, the rest the last one."""

import json
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from strangler_gateway.table.routes import PathRules

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}")
_LITERAL = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|[^\x00-\x7f])*")
MAX_SEGMENTS = 64
SHOWN = 60


class TemplateInvalid(ValueError):
    """The path is not valid; the text says what was seen and what to write."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed path. `segments`: the text of a literal, or None for a variable; `rest`: it ends with `{name...}`."""

    segments: tuple[str | None, ...]
    variables: tuple[str, ...]
    rest: bool

    @property
    def takes_all(self) -> bool:
        return self.rest and not self.segments


def parse(path: str) -> Template:
    """Reads a path as routes.yaml writes it; raises TemplateInvalid."""
    if not path.startswith("/"):
        raise TemplateInvalid(f'{quoted(path)} does not start with "/"')
    pieces = path[1:].split("/")
    if len(pieces) > MAX_SEGMENTS:
        raise TemplateInvalid(f"has {len(pieces)} segments; at most {MAX_SEGMENTS} are allowed")
    variables: list[str] = []
    segments = [_segment(piece, variables, last=at == len(pieces) - 1) for at, piece in enumerate(pieces)]
    rest = bool(_is_rest(pieces[-1]))
    return Template(tuple(segments[:-1] if rest else segments), tuple(variables), rest)


def shape(template: Template, rules: PathRules) -> tuple[bytes | None, ...]:
    """The segments in the form that is compared; two routes with the same shape and `rest` take the same paths."""
    segments = template.segments
    if rules.trailing_slash == "ignore" and segments and segments[-1] == "" and not template.rest:
        segments = segments[:-1]
    return tuple(None if segment is None else literal(segment, rules) for segment in segments)


def literal(text: str, rules: PathRules) -> bytes:
    """A literal of the file as bytes; a request's segment is converted the same way before the comparison."""
    raw = unquote_to_bytes(text) if rules.decode_literals else text.encode()
    return raw if rules.case_sensitive else raw.lower()


def _is_rest(piece: str) -> re.Match[str] | None:
    found = _VARIABLE.fullmatch(piece)
    return found if found and found[2] else None


def _segment(piece: str, variables: list[str], *, last: bool) -> str | None:
    found = _VARIABLE.fullmatch(piece)
    if found is None:
        return _checked_literal(piece, last=last)
    if found[2] and not last:
        raise TemplateInvalid(f"{quoted(piece)} takes the rest of the path; nothing can follow it")
    if found[1] in variables:
        raise TemplateInvalid(f'names the variable "{found[1]}" twice')
    variables.append(found[1])
    return None


def _checked_literal(piece: str, *, last: bool) -> str:
    if not piece and not last:
        raise TemplateInvalid('has an empty segment ("//"); leave such paths to the last route')
    if "{" in piece or "}" in piece:
        raise TemplateInvalid(f"{quoted(piece)} is not a variable; a variable is a whole segment: {{id}}, {{rest...}}")
    if not _LITERAL.fullmatch(piece):
        raise TemplateInvalid(f"{quoted(piece)} cannot occur in the path of a request; percent-encode it")
    if piece in (".", ".."):
        raise TemplateInvalid(f'has a segment "{piece}", which clients resolve before they send the path')
    return piece


def quoted(text: str) -> str:
    """A text of the file for a message: in quotes and on one line; of a long one only the length."""
    return json.dumps(text, ensure_ascii=False) if len(text) <= SHOWN else f"a text of {len(text)} characters"
