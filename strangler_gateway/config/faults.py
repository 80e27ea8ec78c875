"""The faults of a routes file, each with its line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from strangler_gateway.table.template import quoted

Place = tuple[str | int, ...]
"""The place of a value in the file: keys and indexes from the top."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: the line (1-based; 0: the whole file), the field (`routes[2].match.path`), and a sentence: seen,
    wanted, to do.
    """

    line: int
    where: str
    message: str

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{self.where}: {self.message}" if self.where else f"{line}{self.message}"


class RoutesInvalid(ValueError):
    """The routes file cannot be served. `faults` is never empty, and has the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


def spell(place: Place) -> str:
    """`("routes", 2, "match", "path")` as `routes[2].match.path`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{_word(step)}" if text else _word(step)
    return text


_PLAIN = re.compile(r"[\w@/~$*-]{1,64}")


def _word(step: str) -> str:
    return step if _PLAIN.fullmatch(step) else quoted(step)
