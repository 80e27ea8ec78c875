"""Where a movable stands, as a value, and as the API, the journal and the store of many gateways show it. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from strangler_gateway.table.routes import MigrationState, Movable

ORDER = tuple(MigrationState)
WHOLE = 10_000
"""Basis points: every user."""


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


def placed(movable: Movable, position: Position, *, probe: bool = False) -> Movable:
    """The movable at a position; outside canary it keeps the share that the file gives it.

    `probe`: half of the users stay on legacy for a moment.
    """
    kept_back = _kept_back(movable, position, probe)
    if position.state is MigrationState.CANARY:
        return replace(movable, state=position.state, share=position.share, kept_back=kept_back)
    return replace(movable, state=position.state, kept_back=kept_back)


def _kept_back(movable: Movable, position: Position, probe: bool) -> int:
    if probe and position.state in (MigrationState.CANARY, MigrationState.EXTRACTED):
        return WHOLE // 2
    return movable.plan.holdback if movable.plan and position.state is MigrationState.EXTRACTED else 0


def percent(share: int) -> float:
    """Basis points as per cent, in steps of 0.01."""
    return share / 100


def place(position: Position | None) -> dict[str, object] | None:
    """A position as the API and the journal show it: the share in per cent, in canary only."""
    if position is None:
        return None
    shown: dict[str, object] = {"state": str(position.state)}
    if position.state is MigrationState.CANARY:
        shown["share"] = percent(position.share)
    return shown


def parse_place(raw: Any) -> Position:
    """The position that `place` showed. Raises KeyError, TypeError, ValueError, OverflowError."""
    return Position(MigrationState(raw["state"]), round(raw.get("share", 0) * 100))
