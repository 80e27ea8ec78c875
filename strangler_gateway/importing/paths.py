"""Paths and expressions of other proxies as templates of routes.yaml."""

import re
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from strangler_gateway.table.template import TemplateInvalid, parse

_ANY = "[^/]+"
_CORE = r"(?:\[\^?\]?[^\]]+\]|\\[dw])(?:\+|\*|\{\d+(?:,\d*)?\})"
_PIECE = re.compile(rf"\((?:\?P?<(\w+)>|\?:)?({_CORE}|\.[*+])\)|({_CORE}|\.[*+])")
_MARK = re.compile("([\x01\x02])([0-9]+)\x03")
"""Stands for a variable (1) or the rest (2), by its number."""
_EMPTY = "(?:)"
"""Takes nothing: `strangler export httproute` writes it, so that one expression is longer than another."""
_LONGEST = 4096
"""Characters of an expression: more is none of a template, and would take long to read."""
_SPECIAL = re.compile(r"(?<!\\)[.^$*+?()\[\]{}|]")
_SAFE = "._~!$&'()*+,;=:@-%"


@dataclass(frozen=True, slots=True)
class FoundPath:
    """`variables`: of the template, in their order; None for a group of the expression that has no name there."""

    template: str
    variables: tuple[str, ...] = ()
    folds_case: bool = False
    ignores_slash: bool = False
    guesses: tuple[str, ...] = ()


def of_literal(text: str) -> FoundPath | None:
    """A path that has to be exactly this; None: no route can have it."""
    spelled = quote(text, safe=_SAFE + "/")
    return FoundPath(spelled) if _is_template(spelled) else None


def of_prefix(text: str, *, by_segment: bool) -> tuple[FoundPath, ...]:
    """All paths that begin so. `by_segment`: /a takes /a and /a/b, but not /ab."""
    whole = text.rstrip("/")
    below = FoundPath(f"{quote(whole, safe=_SAFE + '/')}/{{rest...}}", ("rest",))
    if not _is_template(below.template):
        return ()
    if not whole:
        return (below,)
    if text.endswith("/") and not by_segment:
        return (below,)
    guess = () if by_segment else (f"it also took paths such as {whole}x, which go elsewhere now",)
    return (FoundPath(quote(whole, safe=_SAFE + "/"), guesses=guess), below)


def of_regex(text: str) -> FoundPath | None:
    """An expression of a whole path; None: it is none of the forms that a template has."""
    if len(text) > _LONGEST:
        return None
    text = text.replace(_EMPTY, "").removeprefix("^")
    folds_case = text.startswith("(?i)")
    text = text.removeprefix("(?i)").removeprefix("^").removesuffix("$")
    if text in (".*", "(.*)", "/.*", "/(.*)", "/"):
        return FoundPath("/" if text == "/" else "/{rest...}", () if text == "/" else ("rest",), folds_case)
    ignores_slash = text.endswith("/?")
    found = _Pieces(text.removesuffix("/?"))
    segments = [found.segment(each) for each in found.text.split("/")[1:]]
    template = "/" + "/".join(each for each in segments if each is not None)
    if not found.text.startswith("/") or None in segments or not _is_template(template):
        return None
    return FoundPath(template, tuple(found.names), folds_case, ignores_slash, tuple(found.guesses))


class _Pieces:
    """The expression with marks in place of what a variable can stand for."""

    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self.guesses: list[str] = []
        self._shown: list[str] = []
        self.text = _PIECE.sub(self._mark, text)

    def _mark(self, found: re.Match[str]) -> str:
        core = found[2] or found[3]
        is_rest = core in (".*", ".+")
        wanted = found[1] or ("rest" if is_rest else "id")
        name = next(each for n in count(1) if (each := wanted if n == 1 else f"{wanted}{n}") not in self.names)
        self.names.append(name)
        if core not in (_ANY, ".*"):
            self.guesses.append(f"{{{name}}} takes every segment, not only {core}")
        self._shown.append(f"{{{name}...}}" if is_rest else f"{{{name}}}")
        return f"{chr(2 if is_rest else 1)}{len(self._shown) - 1}\x03"

    def segment(self, text: str) -> str | None:
        found = _MARK.fullmatch(text)
        if found:
            return self._shown[int(found[2])]
        if _MARK.search(text) or _SPECIAL.search(text):
            return None
        return quote(re.sub(r"\\(.)", r"\1", text), safe=_SAFE)


def _is_template(path: str) -> bool:
    try:
        parse(path)
    except TemplateInvalid:
        return False
    return len(path) <= 2048


def methods_of(text: str) -> frozenset[str] | None:
    """Of an expression such as `GET|HEAD` or `(?:GET|HEAD)`; None: no list of methods."""
    inner = re.fullmatch(r"\^?(?:\((?:\?:)?)?([A-Za-z|_\\.+*-]+?)\)?\$?", text)
    if inner is None:
        return None
    named = [re.sub(r"\\(.)", r"\1", each) for each in inner[1].split("|")]
    return frozenset(named) if all(re.fullmatch(r"[A-Z][A-Z_-]*", each) for each in named) else None
