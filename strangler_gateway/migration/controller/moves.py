"""Moves that are judged and wait for their turn: flip, release, adopt. A refusal is a MoveResult, not an exception."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from strangler_gateway.cluster.record import (
    PlanState,
    RollbackName,
    decide,
    held,
    holds,
    plan_state,
    position,
    release,
)
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.migration.controller.agreement import Agreement
from strangler_gateway.migration.enactment import OVERTAKEN
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.replica import TRIES
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.rules.shared_counts import CountSource
from strangler_gateway.migration.states import Direction, Move, PlanMove, SeenReport
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.rules.plan import PlanRules


@dataclass(frozen=True, slots=True)
class Moves:
    """`turn`: one move at a time."""

    policy: MovePolicy
    agreement: Agreement
    counts: CountSource
    turn: asyncio.Lock

    async def flip(
        self,
        name: str,
        to: Position,
        *,
        who: str,
        why: str = "",
        force: bool = False,
        dry_run: bool = False,
        report: SeenReport | None = None,
        plan: PlanMove | None = None,
    ) -> MoveResult:
        """Moves a movable if the move rules and its preflight allow it. Raises KeyError if it is not served.

        `plan`: it is a step of the movable's plan.
        """
        agreement, standings = self.agreement, self.agreement.served.standings
        wish = Move(name, position_of(agreement.served.table.movables[name]), to)
        unreachable = await self.policy.unreachable(agreement.disk.table, [wish])
        async with self.turn:
            found, problem = await agreement.found(name)
            here = standings.by_unit[name]
            move = Move(name, here.position, to, why, force, report=report)
            judged = await self.policy.judged(agreement.disk.table, move, here, self.counts, unreachable)
            if judged.done and move.direction is not Direction.NONE:
                judged = await agreement.shareable(judged, problem)
            if plan is None and judged.done:
                approved = plan_state(found.record).approved if found is not None else ""
                rules = agreement.disk.table.movables[name].plan
                judged = replace(judged, warnings=(*judged.warnings, *_unapproved(move, rules, approved)))
            if plan is not None and found is not None and digest(found.record) != plan.record:
                judged = judged.refused(OVERTAKEN, f"somebody has just changed {name}: look again")
            if dry_run and standings.problem and judged.done and move.direction is Direction.FORWARD:
                judged = judged.unrecorded(standings.problem)
            if dry_run or not judged.done or move.direction is Direction.NONE:
                return replace(judged, digest=agreement.served.table.digest, dry_run=dry_run)
            result = await agreement.enact(judged, {name: found} if found else {}, JournalEvent.FLIP, who, plan)
        return await agreement.reported(result) if result.done else result

    async def plan(
        self, name: str, change: Callable[[PlanState], PlanState], *, who: str, why: str, plan: PlanMove | None = None
    ) -> MoveResult:
        """Decides a change of how far the plan is; the movable stays. Raises KeyError if it is not served.

        `plan`: the driver makes it.
        """
        agreement, standings = self.agreement, self.agreement.served.standings
        async with self.turn:
            here, file = standings.by_unit[name].position, agreement.disk.table
            result = MoveResult(Move(name, here, here, why), here)
            found, away = await agreement.found(name)
            if found is None:
                return agreement.now(result.unshared(away))
            before = plan_state(found.record)
            if (after := change(before)) == before:
                return agreement.now(result, ("nothing has changed: it was so already",))
            if plan is not None and digest(found.record) != plan.record:
                return agreement.now(result.refused(OVERTAKEN, f"somebody has just changed {name}: look again"))
            problem = await standings.write()
            if problem:
                return agreement.now(result.unrecorded(problem))
            said, lease = found.record.decision, plan.lease if plan else None
            record = decide(
                found.record, position(found.record), self.policy.clock(), who=said.who, why=said.why, plan=after
            )
            entry = self.policy.told(JournalEvent.PLAN, file, result.move, who, record)
            entry = replace(entry, automatic=lease is not None)
            if not await agreement.decided(found, entry, lease):
                return agreement.now(result.refused(OVERTAKEN, f"somebody else has just moved {name}: look again"))
            return await agreement.carried_out(result, entry)

    async def release(
        self, name: str, *, who: str, why: str = "", seen: Sequence[RollbackName] | None = None
    ) -> MoveResult:
        """Ends the holds that somebody has seen, and moves nothing. Raises KeyError if the movable is not served.

        `seen` None: those that this gateway knows now. A rollback that comes later holds on.
        """
        agreement, standings = self.agreement, self.agreement.served.standings
        names = holds(standings.by_unit[name].record) if seen is None else seen
        async with self.turn:
            here, file = standings.by_unit[name].position, agreement.disk.table
            result = MoveResult(Move(name, here, here, why), here)
            if standings.by_unit[name].hold is None:
                return agreement.now(result, (f"{name} was not on hold",))
            problem = await standings.write()
            if problem:
                return agreement.now(result.unrecorded(problem))
            for _ in range(TRIES):
                found, away = await agreement.found(name)
                if found is None:
                    return agreement.now(result.unshared(away))
                record = release(found.record, names)
                entry = self.policy.told(JournalEvent.RELEASE, file, result.move, who, record)
                if await agreement.decided(found, entry):
                    return await agreement.carried_out(result, entry)
            return agreement.now(result.unshared("other gateways change it all the time"))

    async def adopt(self, name: str, *, who: str, why: str = "") -> MoveResult:
        """Decides that a movable about which nobody has decided anything stands as in the file. Raises KeyError."""
        agreement, standings = self.agreement, self.agreement.served.standings
        async with self.turn:
            here, file = standings.by_unit[name].position, agreement.disk.table
            result = MoveResult(Move(name, here, position_of(file.movables[name]), why), here)
            found, away = await agreement.found(name)
            if found is None:
                return agreement.now(result.unshared(away))
            if found.record.decision.seq or held(found.record):
                told = f"{name} has a state already ({standings.by_unit[name].position}): flip it instead"
                return agreement.now(result.refused("decided", told))
            problem = await standings.write()
            if problem:
                return agreement.now(result.unrecorded(problem))
            entry = self.policy.adoption(file, name, who, why, found.record)
            if not await agreement.decided(found, entry):
                return agreement.now(result.refused(OVERTAKEN, f"somebody else has just moved {name}: look again"))
            return await agreement.carried_out(result, entry)


def _unapproved(move: Move, rules: PlanRules | None, approved: str) -> Iterator[str]:
    """A flip by hand asks for no approval, but says which one the plan would have asked for."""
    if rules is None or approved or move.direction is not Direction.FORWARD:
        return
    if skipped := rules.approvals(move.before.rank, move.after.rank):
        steps = ", ".join(map(str, skipped))
        yield f"the plan of {move.unit} wants an approval for {steps}; a flip by hand goes without it"
