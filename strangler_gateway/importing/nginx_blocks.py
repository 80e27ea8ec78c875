"""The text of an nginx configuration as directives, each with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from strangler_gateway.importing.found import MAX_BYTES, ImportRefused

MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>\#[^\n]*)|(?P<end>[;{}])
    |"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'
    |(?P<word>(?:\$\{[^}]*\}|\\.|[^\s;{}"'\\])(?:\$\{[^}]*\}|\\.|[^\s;{}\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_LUA = re.compile(
    r"""--\[\[.*?\]\]|--(?!\[\[)[^\n]*|\[\[.*?\]\]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'
    |[{}]|[^-\["'{}]+|-(?!-)|\[(?!\[)""",
    re.VERBOSE | re.DOTALL,
)
"""Comments, texts, braces and what is between them."""


@dataclass(slots=True)
class Directive:
    """`block` None: it ends with a semicolon."""

    line: int
    words: list[str]
    block: "list[Directive] | None" = None

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def rest(self) -> list[str]:
        return self.words[1:]


@dataclass(slots=True)
class _Open:
    directives: list[Directive] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    line: int = 1


def directives(text: str) -> list[Directive]:
    """Raises ImportRefused."""
    if len(text) > MAX_BYTES:
        raise ImportRefused(f"the file has more than {MAX_BYTES} bytes")
    open_blocks = [_Open()]
    for line, kind, word in _tokens(text):
        here = open_blocks[-1]
        if kind != "end":
            here.line = here.line if here.words else line
            here.words.append(word)
        elif word == "}":
            if len(open_blocks) == 1 or here.words:
                raise ImportRefused(f"line {line}: a }} that closes nothing")
            open_blocks.pop()
        else:
            one = Directive(here.line if here.words else line, here.words, [] if word == "{" else None)
            here.directives.append(one)
            here.words = []
            if one.block is not None:
                open_blocks.append(_Open(one.block))
        if len(open_blocks) > MAX_DEPTH:
            raise ImportRefused(f"line {line}: blocks are nested deeper than {MAX_DEPTH} levels")
    if len(open_blocks) > 1 or open_blocks[0].words:
        raise ImportRefused("the file ends within a block or directive")
    return open_blocks[0].directives


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    at, line = 0, 1
    first: str | None = None  # word of the directive
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ImportRefused(f"line {line}: {text[at : at + 20]!r} is no word of an nginx configuration")
        kind = str(found.lastgroup)
        if kind in ("double", "single"):
            yield line, kind, re.sub(r"\\([\"'\\])", r"\1", found[kind])
        elif kind in ("word", "end"):
            yield line, kind, found[kind]
        end = found.end()
        if kind == "end":
            if found[0] == "{" and first is not None and first.endswith("_by_lua_block"):
                end = _end_of_lua(text, end, line)
            first = None
        elif first is None and kind == "word":
            first = found[0]
        line += text.count("\n", at, end)
        at = end


def _end_of_lua(text: str, at: int, line: int) -> int:
    """Where its closing brace stands: what is before it is no configuration. Raises ImportRefused."""
    depth = 1
    while found := _LUA.match(text, at):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return at
        at = found.end()
    raise ImportRefused(f"line {line}: the end of this Lua block is not found")


def named(found: list[Directive], name: str) -> Iterator[Directive]:
    """All of that name, however deep."""
    for one in found:
        if one.name == name:
            yield one
        yield from named(one.block or [], name)
