"""What became of the wish to move a movable."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from strangler_gateway.cluster.record import RollbackName
from strangler_gateway.migration.rules.move_rules import MoveRefusal
from strangler_gateway.migration.states import Move, RefusalCode
from strangler_gateway.table.position import Position

_UNDECIDED: frozenset[RefusalCode] = frozenset({"journal", "members", "overtaken", "store"})


@dataclass(frozen=True, slots=True)
class MoveResult:
    """`after` is where the movable stands now (after a dry run: where it would); if refused, at `before`."""

    move: Move
    after: Position
    refusals: tuple[MoveRefusal, ...] = ()
    overridden: tuple[MoveRefusal, ...] = ()
    """Refusals that `force` overrode."""
    warnings: tuple[str, ...] = ()
    undo: tuple[Position, ...] = ()
    """The flips that lead back, in order; empty if none does."""
    held: bool = False
    dry_run: bool = False
    digest: str = ""
    """Of the table that is served now."""
    gate: Mapping[str, Any] | None = None
    """The gate's numbers, where it was asked."""
    evidence: Mapping[str, Any] | None = None
    """What was known when it was judged, rule by rule."""

    rollback: RollbackName | None = None
    """Of a rollback: its name, to be passed on to the other gateways."""

    @property
    def unit(self) -> str:
        """The movable that was to move."""
        return self.move.unit

    @property
    def before(self) -> Position:
        """Where the movable stood."""
        return self.move.before

    @property
    def done(self) -> bool:
        """Whether the movable moved (or would move)."""
        return not self.refusals

    @property
    def is_undecided(self) -> bool:
        """Whether it was refused because the gateways, or this one and its disk, do not know the same."""
        return any(refusal.code in _UNDECIDED for refusal in self.refusals)

    @property
    def reason(self) -> str:
        """Why the move was refused, in one line."""
        return "; ".join(refusal.message for refusal in self.refusals)

    def refused(self, code: RefusalCode, message: str) -> "MoveResult":
        """The same move, refused after all."""
        return replace(self, after=self.before, refusals=(*self.refusals, MoveRefusal(code, message)))

    def unrecorded(self, problem: str) -> "MoveResult":
        """The same move forward, refused because it cannot be journalled."""
        reason = f"the journal cannot be written ({problem}), so flips are off; a rollback still works, in memory"
        return self.refused("journal", reason)

    def unshared(self, problem: str) -> "MoveResult":
        """The same move, refused because the gateway cannot agree on it with the others."""
        return self.refused("store", f"{self.unit} cannot move: {problem}. `rollback` works without it")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a reload of the routes file: the digest that is served, or the faults that keep the old table."""

    digest: str
    faults: tuple[str, ...] = ()
    moved: tuple[MoveResult, ...] = ()
    kept: tuple[MoveResult, ...] = ()
    """Movables that the file asked to move and that stay."""
