"""Paths of routes.yaml as other proxies compare them: exactly, by prefix, or by a regular expression (RE2 and PCRE)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from strangler_gateway.table.routes import PathRules
from strangler_gateway.table.template import Template, parse, shape

EMPTY = "(?:)"
"""An expression that takes nothing."""
_SPECIAL = re.compile(r"[.^$*+?()\[\]{}|\\]")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`text`: a path, or an expression that has to match a whole path without its query."""

    kind: Literal["exact", "prefix", "regex"]
    text: str


def pattern(path: str, rules: PathRules) -> PathPattern:
    """The plainest form that takes the same paths as the gateway's matcher."""
    template = parse(path)
    if template.takes_all:
        return PathPattern("prefix", "/")
    folds = not rules.case_sensitive or rules.decode_literals or rules.trailing_slash == "ignore"
    if template.rest or template.variables or folds:
        return PathPattern("regex", regex(path, rules))
    return PathPattern("exact", path)


def regex(path: str, rules: PathRules, groups: Sequence[str] | None = None) -> str:
    """The path as an expression. `groups`: how the group of each variable begins, such as `(` or `(?<name>`."""
    template = parse(path)
    fold = "" if rules.case_sensitive else "(?i)"
    opened = iter(groups if groups is not None else ["(?:"] * len(template.variables))
    pieces = [
        _group(next(opened), "[^/]+") if segment is None else _literal(segment, rules)
        for segment in _segments(template, rules)
    ]
    if template.rest:
        return f"{fold}/{'/'.join([*pieces, _group(next(opened), '.*')])}"
    optional = "/?" if rules.trailing_slash == "ignore" and pieces else ""
    return f"{fold}/{'/'.join(pieces)}{optional}"


def _group(opening: str, expression: str) -> str:
    return expression if opening == "(?:" else f"{opening}{expression})"


def specificity(path: str, rules: PathRules) -> tuple[int, ...]:
    """Sorts paths so that the first one that takes a request is the most specific: literal, variable, rest."""
    template = parse(path)
    kinds = [int(piece is None) for piece in shape(template, rules)]
    return (*kinds, 2 if template.rest else -1)


def _segments(template: Template, rules: PathRules) -> tuple[str | None, ...]:
    """Without the empty one at the end where a trailing slash does not count."""
    segments = template.segments
    if rules.trailing_slash == "ignore" and segments and segments[-1] == "" and not template.rest:
        return segments[:-1]
    return segments


def _literal(text: str, rules: PathRules) -> str:
    if rules.decode_literals:
        # only the bytes of the decoded text count, however they were spelled
        return "".join(_spellings(byte, rules) for byte in unquote_to_bytes(text))
    return escaped(text)


def escaped(text: str) -> str:
    """The text as an expression that matches only it."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _spellings(byte: int, rules: PathRules) -> str:
    """One byte, as itself or percent-encoded; where case does not count, that of either letter."""
    character = chr(byte)
    cases = {character} if rules.case_sensitive or not character.isascii() else {character.lower(), character.upper()}
    encoded = sorted(f"%{_hexadecimal(ord(each))}" for each in cases)
    plain = [escaped(character)] if 0x20 < byte < 0x7F and character != "/" else []
    return f"(?:{'|'.join([*plain, *encoded])})"


def _hexadecimal(number: int) -> str:
    digits = f"{number:02x}"
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in digits)
