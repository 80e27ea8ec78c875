"""How long each movable has been where it is, and when it was rolled back automatically: sums of monotone seconds.

No wall clock enters: one that jumps makes nothing pass. What a process does not see (it does not run) does not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.plans.decide import DAY_S
from strangler_gateway.table.position import LEGACY, Position, parse_place, place

SAME_MOMENT_S = 0.01
"""The journal rounds to milliseconds."""
MOST_TICK_S = 5.0
"""A process that was stopped for longer saw no traffic meanwhile."""
LATE_S = 60.0
"""A step that began so much earlier than it was first seen here was not counted from its beginning."""
MOST_AGES = 100
AUTOMATIC = "automatic"
"""How the name of who rolled back begins, where nobody did it by hand."""


@dataclass(slots=True)
class Progress:
    """Of one movable. `since` and `noted`: Unix seconds that tell one move, and one rollback, from another."""

    position: Position = LEGACY
    since: float = 0.0
    spent_s: float = 0.0
    late: bool = False
    """It was here before anybody counted: the state directory was empty, or the plan is new."""
    rollback_ages: tuple[float, ...] = ()
    """Seconds since each automatic rollback of the last day, the latest first."""
    noted: float = 0.0
    """Of the latest automatic rollback that is in `rollback_ages`, or was."""

    def pass_by(self, seconds: float) -> None:
        """Time goes by."""
        self.spent_s += seconds
        self.rollback_ages = tuple(age + seconds for age in self.rollback_ages if age + seconds < DAY_S)

    def meet(self, standing: Standing, now: float) -> None:
        """Notices a move or a rollback. `now`: Unix seconds."""
        if standing.position != self.position or abs(standing.since - self.since) > SAME_MOMENT_S:
            self.late = not self.since and now - standing.since > LATE_S
            self.position, self.since, self.spent_s = standing.position, standing.since, 0.0
        hold = standing.hold
        if hold and hold.who.startswith(AUTOMATIC) and abs(hold.since - self.noted) > SAME_MOMENT_S:
            self.noted = hold.since
            self.rollback_ages = (0.0, *self.rollback_ages)[:MOST_AGES]


class ProgressBook:
    """The progress of all movables with a plan."""

    def __init__(self) -> None:
        self._known: dict[str, Progress] = {}

    def of(self, unit: str) -> Progress:
        """Of one that was met."""
        return self._known.setdefault(unit, Progress())

    def tick(self, seconds: float, standings: Mapping[str, Standing], now: float) -> None:
        """`seconds`: monotone, since the last tick. `standings`: of all movables with a plan, as they are `now`."""
        for unit in self._known.keys() - standings.keys():
            del self._known[unit]
        for unit, standing in standings.items():
            progress = self.of(unit)
            progress.pass_by(min(max(seconds, 0.0), MOST_TICK_S))
            progress.meet(standing, now)

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            unit: {
                "position": place(one.position),
                "since": one.since,
                "spent_s": round(one.spent_s, 1),
                "late": one.late,
                "rollback_ages": [round(age, 1) for age in one.rollback_ages],
                "noted": one.noted,
            }
            for unit, one in self._known.items()
        }

    def restore(self, saved: Any) -> None:
        """Continues from a snapshot. Raises ValueError, TypeError, LookupError."""
        self._known = {str(unit): _progress(one) for unit, one in dict(saved).items()}


def _progress(raw: Any) -> Progress:
    ages = tuple(sorted(_seconds(age) for age in raw["rollback_ages"]))[:MOST_AGES]
    return Progress(
        parse_place(raw["position"]),
        _seconds(raw["since"]),
        _seconds(raw["spent_s"]),
        raw.get("late") is True,
        ages,
        _seconds(raw["noted"]),
    )


def _seconds(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < 1e12:
        raise ValueError(f"{str(raw)[:40]!r} is no number of seconds")
    return float(raw)
