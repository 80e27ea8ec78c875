"""A move as a value, and what undoes it. Pure, no clock."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from strangler_gateway.table.position import ORDER, WHOLE, Position
from strangler_gateway.table.routes import MigrationState

RefusalCode = Literal[
    "differences",
    "held",
    "journal",
    "counters",
    "decided",
    "legacy_traffic",
    "members",
    "moved",
    "never_asked",
    "no_new_end",
    "not_compared",
    "not_ready",
    "not_served",
    "overtaken",
    "own_data",
    "report",
    "retired",
    "sizes",
    "slow",
    "step",
    "store",
    "unreachable",
    "unserved",
    "users",
    "wait",
    "why",
    "worse",
]
"""Why a move is refused, for programs; docs/settings.md says what each means."""


class Direction(StrEnum):
    """Which way a move goes."""

    NONE = "none"
    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class SeenReport:
    """A retire report with this gateway's signature; `made_at` in Unix seconds, `digest` names it."""

    group: str
    made_at: float
    proven: bool
    digest: str
    asked_by: str


@dataclass(frozen=True, slots=True)
class Move:
    """A request to go from one position to another.

    `force` overrides the preflight, never the order of the states. A rollback goes to legacy and is never refused.
    """

    unit: str
    before: Position
    after: Position
    why: str = ""
    force: bool = False
    rollback: bool = False
    report: SeenReport | None = None
    """What shows that the group may retire."""

    @property
    def direction(self) -> Direction:
        """Forward leads to the services; a growing share is forward as well."""
        if self.before == self.after:
            return Direction.NONE
        return Direction.FORWARD if self.after.rank > self.before.rank else Direction.BACK


@dataclass(frozen=True, slots=True)
class PlanMove:
    """A change that a plan makes. `record`: the digest of the movable's record by which it was judged.

    `lease`: with which the driver makes it; None: a person has asked for it. `step`: how many steps are then behind.
    """

    record: str
    lease: str | None = None
    step: int = 0


def undo(before: Position, after: Position) -> tuple[Position, ...]:
    """The flips that lead from `after` back to `before`, one step at a time; empty if only a rollback does."""
    back = Move("", after, before)
    if back.direction is not Direction.FORWARD:
        return () if after.state is MigrationState.RETIRED else (before,)
    first, last = ORDER.index(after.state) + 1, ORDER.index(before.state)
    between = [Position(s, WHOLE if s is MigrationState.CANARY else 0) for s in ORDER[first:last]]
    return (*between, before)
