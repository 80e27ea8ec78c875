"""Migration states as values: where a movable stands, a move, and what undoes it. Pure, no clock."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from strangler_gateway.table.routes import MigrationState, Movable

ORDER = tuple(MigrationState)
WHOLE = 10_000
"""Basis points: every user."""
RefusalCode = Literal[
    "differences",
    "held",
    "journal",
    "legacy_traffic",
    "moved",
    "never_asked",
    "no_new_end",
    "not_compared",
    "not_ready",
    "not_served",
    "overtaken",
    "own_data",
    "retired",
    "step",
    "unreachable",
    "unserved",
    "users",
    "wait",
    "why",
    "worse",
]
"""Why a move is refused, for programs; docs/settings.md says what each means."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a movable stands: a state and, only in canary, the share in basis points (else 0)."""

    state: MigrationState
    share: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= WHOLE:
            raise ValueError(f"share {self.share} is not within 0 … {WHOLE} basis points")
        if self.share and self.state is not MigrationState.CANARY:
            raise ValueError(f"a share belongs to canary, not to {self.state}")

    @property
    def rank(self) -> tuple[int, int]:
        """Orders positions from all legacy to all extracted."""
        return ORDER.index(self.state), self.share

    def __str__(self) -> str:
        return f"{self.state} {percent(self.share):g} %" if self.state is MigrationState.CANARY else str(self.state)


LEGACY = Position(MigrationState.LEGACY)


def position_of(movable: Movable) -> Position:
    """The position of a movable of a table."""
    return Position(movable.state, movable.share if movable.state is MigrationState.CANARY else 0)


def placed(movable: Movable, position: Position) -> Movable:
    """The movable at a position; outside canary it keeps the share that the file gives it."""
    if position.state is MigrationState.CANARY:
        return replace(movable, state=position.state, share=position.share)
    return replace(movable, state=position.state)


def percent(share: int) -> float:
    """Basis points as per cent, in steps of 0.01."""
    return share / 100


class Direction(StrEnum):
    """Which way a move goes."""

    NONE = "none"
    FORWARD = "forward"
    BACK = "back"


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

    @property
    def direction(self) -> Direction:
        """Forward leads to the services; a growing share is forward as well."""
        if self.before == self.after:
            return Direction.NONE
        return Direction.FORWARD if self.after.rank > self.before.rank else Direction.BACK


@dataclass(frozen=True, slots=True)
class Hold:
    """Set by a rollback: nothing moves the movable forward until it is released."""

    since: float
    who: str
    why: str = ""


def undo(before: Position, after: Position) -> tuple[Position, ...]:
    """The flips that lead from `after` back to `before`, one step at a time; empty if only a rollback does."""
    back = Move("", after, before)
    if back.direction is not Direction.FORWARD:
        return () if after.state is MigrationState.RETIRED else (before,)
    first, last = ORDER.index(after.state) + 1, ORDER.index(before.state)
    between = [Position(s, WHOLE if s is MigrationState.CANARY else 0) for s in ORDER[first:last]]
    return (*between, before)
