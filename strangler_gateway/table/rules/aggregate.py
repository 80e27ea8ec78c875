"""How several calls become one answer: the values of `aggregate:`."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strangler_gateway.table.json_path import Path, parse_pointer

EACH, IDENTITY, VALUES, MARKS = "each", "identity", "values", "marks"
RESERVED = (EACH, IDENTITY, VALUES, MARKS)
"""Names that no call can have: the element of a list, the verified user, all values, and what failed."""
_REFERENCE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:(\.\.\.)|:((?:/[^{}]*)?))?\}")


@dataclass(frozen=True, slots=True)
class Reference:
    """`{name}` (`path` None), or `{name:/pointer}`: a place in the JSON that `name` stands for."""

    name: str
    path: Path | None = None

    def __str__(self) -> str:
        return (
            f"{{{self.name}}}" if self.path is None else f"{{{self.name}:{''.join(f'/{step}' for step in self.path)}}}"
        )


Pieces = tuple[str | Reference, ...]
"""A text in which references stand for texts."""


@dataclass(frozen=True, slots=True)
class CallRules:
    """One call: a GET of `target`. `after`: all calls that must have succeeded before it, written or referred to.

    `each`: the list of an earlier call that has one call for each of its first `at_most` elements.
    `pointer`: the place of the value in the answer; `fallback`: JSON that stands for the value where there is none.
    """

    name: str
    target: Pieces
    after: tuple[str, ...] = ()
    each: Reference | None = None
    at_most: int = 20
    pointer: Path = ()
    required: bool = False
    fallback: str = "null"
    timeout_s: float = 5.0
    max_body: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class AggregateRules:
    """The new end of a route that answers with several calls. `answer`: the JSON of the answer, around references.

    `deadline_s` bounds all calls together, `max_body` the bytes of their answers; `headers`: fields of every answer.
    """

    calls: tuple[CallRules, ...]
    answer: Pieces
    deadline_s: float = 10.0
    max_body: int = 1 << 20
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def names_caller(self) -> bool:
        """Whether a call needs to know the verified user."""
        return any(
            isinstance(piece, Reference) and piece.name == IDENTITY for call in self.calls for piece in call.target
        )

    def __str__(self) -> str:
        return f"calls {', '.join(call.name for call in self.calls)}"


def parse_references(text: str) -> Pieces:
    """A text with references, in its pieces. Raises ValueError for a brace that belongs to none."""
    pieces: list[str | Reference] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        pieces += [text[end : found.start()], _reference(found)]
        end = found.end()
    pieces.append(text[end:])
    if strange := next((piece for piece in pieces if isinstance(piece, str) and re.search("[{}]", piece)), None):
        raise ValueError(f'"{strange[:40]}" has a brace of no reference; write {{variable}} or {{call:/pointer}}')
    return tuple(piece for piece in pieces if piece != "")


def json_pieces(template: object) -> Pieces:
    """JSON in which a text that is one reference stands for a value, as pieces of JSON text."""
    pieces: list[str | Reference] = []
    for piece in _written(template):
        if pieces and isinstance(piece, str) and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return tuple(pieces)


def _written(value: object) -> Iterator[str | Reference]:
    if isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        yield _reference(found)
    elif isinstance(value, Mapping):
        yield from _joined("{", ((f"{json.dumps(str(name))}:", one) for name, one in value.items()), "}")
    elif isinstance(value, list):
        yield from _joined("[", (("", one) for one in value), "]")
    else:
        yield json.dumps(value)


def _joined(begin: str, members: Iterator[tuple[str, object]], end: str) -> Iterator[str | Reference]:
    yield begin
    for number, (name, value) in enumerate(members):
        yield f",{name}" if number else name
        yield from _written(value)
    yield end


def _reference(found: re.Match[str]) -> Reference:
    return Reference(found[1], None if found[3] is None else parse_pointer(found[3]))
