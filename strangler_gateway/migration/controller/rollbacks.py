"""Rollbacks: by somebody, at once and never refused; by a guard, only by who holds the lease."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from strangler_gateway.cluster.record import Hold, RollbackName, held, mint, position, rollback
from strangler_gateway.cluster.record_json import RecordInvalid, digest
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.migration.controller.agreement import Agreement
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.replica import NotAgreed
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.states import Move
from strangler_gateway.table.position import LEGACY
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)

RECORD_TIMEOUT_S = 10.0
"""How long a rollback waits for the disk before it answers; it is served already."""

AskDriver = Callable[[Mapping[str, Any]], Awaitable[bool]]
"""Asks who holds the lease to roll back: `unit`, `who`, `why`, `evidence`, `record` (its digest when it was judged)."""


async def nobody_else(wish: Mapping[str, Any]) -> bool:
    """Of a gateway that is alone: it holds the lease itself."""
    return False


@dataclass(frozen=True, slots=True)
class Rollbacks:
    """A rollback never waits for its turn; only what it writes does."""

    policy: MovePolicy
    agreement: Agreement
    turn: asyncio.Lock
    ask_driver: AskDriver = nobody_else

    async def rollback(
        self,
        names: Sequence[str],
        *,
        who: str,
        why: str = "",
        automatic: Mapping[str, Any] | None = None,
        passed_on: Mapping[str, RollbackName] | None = None,
    ) -> tuple[MoveResult, ...]:
        """Moves movables to legacy at once and puts them on hold. Raises KeyError for an unknown movable.

        It is served before anything is awaited. `automatic`: a guard does it, by this evidence. `passed_on`: the names
        that another gateway gave to the same rollbacks.
        """
        agreement, standings = self.agreement, self.agreement.served.standings.by_unit
        file, given = agreement.disk.table, passed_on or {}
        called = {**self.names(names), **given}
        moves = [_back(unit, standings[unit], why) for unit in called]
        results = [self.policy.judge(file, move, standings[move.unit]) for move in moves]
        entries = [self._entry(file, result, who, called[result.unit]) for result in results]
        if automatic is not None:
            entries = [replace(entry, automatic=True, evidence=automatic) for entry in entries]
        agreement.served.serve(file, agreement.served.sealed(file, entries), owed=True)
        recording, telling = self._record(list(called)), agreement.replica.put_back(called)
        notes, told, late = await asyncio.gather(recording, telling, agreement.acknowledged())
        await agreement.report()
        notes += ((_not_told(told),) if told else ()) + late
        return tuple(replace(agreement.now(result, notes), rollback=called[result.unit]) for result in results)

    def names(self, units: Sequence[str]) -> dict[str, RollbackName]:
        """How rollbacks that are made next are called, here and at every other gateway."""
        standings, run = self.agreement.served.standings, self.agreement.replica.run
        return {unit: mint(standings.record(unit), run) for unit in dict.fromkeys(units)}

    async def by_guard(
        self, unit: str, who: str, why: str, evidence: Mapping[str, Any], judged: Standing | None = None
    ) -> bool:
        """What a guard does at an alarm; False: it could not, and may try again.

        With other gateways only who holds the lease does it, and if the group still stands as it was `judged`.
        """
        if self.agreement.replica.store.alone:
            await self.rollback([unit], who=f"automatic, for {who}", why=why, automatic=evidence)
            return True
        record = digest((judged or self.agreement.served.standings.by_unit[unit]).record)
        return await self.by_driver(unit, who, why, evidence, record) or await self.ask_driver(
            {"unit": unit, "who": who, "why": why, "evidence": dict(evidence), "record": record}
        )

    async def by_driver(self, unit: str, who: str, why: str, evidence: Mapping[str, Any], record: str) -> bool:
        """Rolls back if this gateway holds the lease and the movable has the record with this digest."""
        who = f"automatic, for {who}"
        name = await self._decided(unit, who, why, record)
        if name is not None:
            await self.rollback([unit], who=who, why=why, automatic=evidence, passed_on={unit: name})
        return name is not None

    async def _decided(self, unit: str, who: str, why: str, judged: str) -> RollbackName | None:
        """The name of a rollback that the store has taken from the holder of the lease."""
        agreement, replica = self.agreement, self.agreement.replica
        try:
            driver = await replica.store.lease()
            if driver is None:
                return None
            async with self.turn:
                found = await replica.agreed(unit)
                if digest(found.record) != judged:
                    return None
                here, name = agreement.served.standings.by_unit[unit], mint(found.record, replica.run)
                record = rollback(found.record, name, Hold(self.policy.clock(), who, why))
                move = _back(unit, here, why)
                entry = self.policy.told(JournalEvent.ROLLBACK, agreement.disk.table, move, who, record)
                return name if await replica.decide(found, entry, driver) else None
        except (StoreAway, NotAgreed, RecordInvalid) as exc:
            log.warning("%s is not rolled back automatically: %s", unit, exc)
            return None

    def _entry(self, file: RouteTable, result: MoveResult, who: str, name: RollbackName) -> JournalEntry:
        """A second rollback of what is on hold is a hold of its own, and no news to people."""
        move = result.move
        known = self.agreement.served.standings.record(move.unit)
        record = rollback(known, name, Hold(self.policy.clock(), who, move.why))
        if record != known and (move.before != LEGACY or not held(known)):
            return self.policy.told(JournalEvent.ROLLBACK, file, move, who, record, result)
        return self.policy.told(JournalEvent.RECORD, file, replace(move, after=position(record)), who, record)

    async def _record(self, units: Sequence[str]) -> tuple[str, ...]:
        """Journal and file, in turn; a disk that hangs does not keep the answer back for ever."""
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S), self.turn:
                problem = await self.agreement.served.standings.write()
                notes = (f"served and held in memory only, a restart may lose it ({problem})",) if problem else ()
                return notes + await self.agreement.write_file(units)
        except TimeoutError:
            return ("served and held; the disk has not answered yet, so a restart may lose it",)


def _back(unit: str, here: Standing, why: str) -> Move:
    return Move(unit, here.position, LEGACY, why, rollback=True)


def _not_told(problem: str) -> str:
    return f"rolled back here; the other gateways follow when this one sees the store again ({problem})"
