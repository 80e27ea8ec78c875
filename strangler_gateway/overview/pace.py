"""How far the migration is, and how long the rest would take: only where the past allows to say it. Pure."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent
from strangler_gateway.table.routes import MigrationState

DAY_S = 86_400.0
LOOK_BACK_S = 56 * DAY_S
LEAST_MOVES, LEAST_S = 5, 14 * DAY_S
"""Fewer groups, or a shorter time, say nothing about the next ones."""
_QUANTILE = 1.2816
"""Of a normal distribution, for 80 % between both ends."""


def extracted_at(entries: Sequence[JournalEntry]) -> dict[str, float]:
    """When each movable that is extracted or retired now was moved there, by the journal; the oldest entry first."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry.after.state in (MigrationState.EXTRACTED, MigrationState.RETIRED):
            if entry.event is not JournalEvent.ADOPTED:  # it stood there in the file
                found.setdefault(entry.unit, entry.time)
        else:
            found.pop(entry.unit, None)
    return found


def pace(moved: Sequence[float], left: int, now: float) -> dict[str, Any]:
    """`moved`: when groups were extracted, in Unix seconds. `weeks`: from and to, None if nobody can know.

    Moves are taken as a Poisson process; its rate lies within (sqrt(n) -+ z/2)^2 / T in 80 % of all cases.
    """
    recent = [at for at in moved if now - at <= LOOK_BACK_S]
    seconds = min(LOOK_BACK_S, now - min(moved, default=now))
    done = f"{len(recent)} group{'' if len(recent) == 1 else 's'} extracted in the last 8 weeks, {left} left."
    if not left:
        return {"weeks": None, "says": "Every group is extracted."}
    if len(recent) < LEAST_MOVES or seconds < LEAST_S:
        needed = f"that needs {LEAST_MOVES} groups over at least {LEAST_S / DAY_S:.0f} days"
        return {"weeks": None, "says": f"{done} No forecast: {needed}."}
    slow, fast = (((sqrt(len(recent)) + sign * _QUANTILE / 2) ** 2) / seconds for sign in (-1, 1))
    weeks = [ceil(left / rate / (7 * DAY_S)) for rate in (fast, slow)]
    return {"weeks": weeks, "says": f"{done} At this pace, {weeks[0]} to {weeks[1]} weeks more, in 4 of 5 cases."}
