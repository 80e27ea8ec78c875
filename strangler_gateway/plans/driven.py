"""What plans need of the controller of moves."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from strangler_gateway.cluster.record import PlanState
from strangler_gateway.evidence.snapshot import Snapshot
from strangler_gateway.migration.guards.sentinel import Sentinel
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.states import PlanMove
from strangler_gateway.plans.standings import ServedStandings
from strangler_gateway.table.position import Position

WHO = "plan"
"""Who moves, in the journal."""


class DrivenMigration(ServedStandings, Protocol):
    """Every change is made with the lease, or by a person."""

    sentinel: Sentinel
    """Judges failures."""

    async def lease(self) -> str | None:
        """The session that makes automatic moves; None: another gateway has it. Raises StoreAway."""
        ...

    async def evidence(self, name: str) -> Snapshot:
        """What all gateways know of a movable now. Raises KeyError."""
        ...

    async def flip(
        self,
        name: str,
        to: Position,
        *,
        who: str,
        why: str = "",
        force: bool = False,
        dry_run: bool = False,
        plan: PlanMove | None = None,
    ) -> MoveResult:
        """Moves a movable if the move rules and its preflight allow it."""
        ...

    async def plan(
        self, name: str, change: Callable[[PlanState], PlanState], *, who: str, why: str, plan: PlanMove | None = None
    ) -> MoveResult:
        """Decides a change of how far the plan is."""
        ...

    async def roll_back(
        self, unit: str, who: str, why: str, evidence: Mapping[str, Any], judged: Standing | None = None
    ) -> bool:
        """At once; journalled as automatic. False: not now."""
        ...
