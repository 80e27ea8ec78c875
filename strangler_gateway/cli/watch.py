"""`flip --watch`: the traffic of a group or route after a flip, until time is up or an error appears."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from strangler_gateway.cli.output import live_row

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]+)?)(s|m|h|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
EVERY_S = 1.0

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """What was counted since the flip. `errors`: of the new end, and requests that failed over because of it."""

    legacy: int = 0
    extracted: int = 0
    errors_legacy: int = 0
    errors: int = 0
    compared: int = 0
    differences: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in asdict(self).items())

    def __sub__(self, then: "Watched") -> "Watched":
        """A gateway that does not answer leaves its part out: no number goes below zero."""
        pairs = zip(asdict(self).values(), asdict(then).values(), strict=True)
        return Watched(*(max(now - before, 0) for now, before in pairs))


def seconds(text: str) -> float | None:
    """`60s`, `2m`, `90`; None if it is not a duration."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _SECONDS[match[2]] if match else None


def counted(answer: Answer, unit: str) -> Watched:
    """The counters of one movable in the admin API's answer about all routes."""
    rows = [route for route in answer["routes"] if route["unit"] == unit]
    return Watched(
        legacy=sum(row["requests"]["legacy"] for row in rows),
        extracted=sum(row["requests"]["extracted"] for row in rows),
        errors_legacy=sum(row["errors"]["legacy"] + row["unanswered"]["legacy"] for row in rows),
        errors=sum(row["errors"]["extracted"] + row["failovers"] for row in rows),
        compared=sum(row["shadow"]["compared"] for row in rows),
        differences=sum(row["shadow"]["different"] for row in rows),
    )


def watch(look: Callable[[], Watched], duration_s: float, shown: bool) -> Watched:
    """Looks once a second and returns what was seen last. `shown`: in a live table, on a terminal."""
    if not shown:
        return _look_until(look, duration_s, lambda seen, left_s: None)
    with live_row(_COLUMNS) as show:
        return _look_until(look, duration_s, lambda seen, left_s: show(_row(seen, left_s)))


def _look_until(look: Callable[[], Watched], duration_s: float, tell: Callable[[Watched, float], None]) -> Watched:
    end = time.monotonic() + duration_s
    while True:
        seen, left_s = look(), max(end - time.monotonic(), 0.0)
        tell(seen, left_s)
        if seen.errors or not left_s:
            return seen
        time.sleep(min(EVERY_S, left_s))


_COLUMNS = ("legacy", "extracted", "errors", "errors of legacy", "compared", "differences", "left")


def _row(seen: Watched, left_s: float) -> tuple[object, ...]:
    errors = (seen.errors, seen.errors_legacy)
    return (seen.legacy, seen.extracted, *errors, seen.compared, seen.differences, f"{left_s:.0f} s")
