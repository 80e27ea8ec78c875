"""What became of a wish to move a unit."""

from dataclasses import dataclass

from strangler_gateway.migration.move_rules import Refusal
from strangler_gateway.migration.states import Position


@dataclass(frozen=True, slots=True)
class Outcome:
    """`after` is where the unit stands now (after a dry run: where it would). Refused: it stays at `before`."""

    unit: str
    before: Position
    after: Position
    refusals: tuple[Refusal, ...] = ()
    overridden: tuple[Refusal, ...] = ()
    """What `force` overrode."""
    warnings: tuple[str, ...] = ()
    undo: tuple[Position, ...] = ()
    """Flips that lead back, in order; empty where none does."""
    held: bool = False
    dry_run: bool = False
    digest: str = ""
    """Of the table that is served now."""

    @property
    def done(self) -> bool:
        """Whether the wish came true (or would)."""
        return not self.refusals

    @property
    def reason(self) -> str:
        """Why it was refused, in one line."""
        return "; ".join(refusal.message for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a reading of the routes file: the digest that is served, or the faults that keep the old one."""

    digest: str
    faults: tuple[str, ...] = ()
    moved: tuple[Outcome, ...] = ()
    kept: tuple[Outcome, ...] = ()
    """Units that the file wanted to move and that stay."""


def unrecorded(problem: str) -> Refusal:
    """A move forward that could not be journalled."""
    return Refusal(
        "journal", f"the journal cannot be written ({problem}), so flips are off; a rollback still works, in memory"
    )
