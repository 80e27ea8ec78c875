"""What operators may do, whoever asks for it: a command, another program, the page. The bodies are checked already."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strangler_gateway.admin import bodies
from strangler_gateway.admin.gateways import Gateways, View
from strangler_gateway.admin.requests import AdminRefusal, unknown_name
from strangler_gateway.cluster.record_json import parse_name
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.states import SeenReport
from strangler_gateway.table.routes import MigrationState, Movable

ReportReader = Callable[[Mapping[str, Any] | None], SeenReport | None]
"""The retire report that a flip brings; None: it brings none. Raises AdminRefusal if it is not genuine."""


class Operations:
    """`who`: for the journal."""

    def __init__(self, migration: Migration, gateways: Gateways, seen: ReportReader) -> None:
        self._migration, self._gateways, self._seen = migration, gateways, seen

    def movable(self, name: str) -> Movable:
        """A group, or a route that is in none; for a route of a group, the group. Raises AdminRefusal."""
        movable = self._migration.movable_of(name)
        if movable is None:
            raise unknown_name(name)
        return movable

    async def flip(self, asked: bodies.Flip, who: str) -> MoveResult:
        """Moves a movable, or says what would become of it. Raises AdminRefusal."""
        name = self.movable(asked.unit).name
        if name != asked.unit:
            raise AdminRefusal(422, "in_group", f"{asked.unit} moves with its group: flip {name}")
        result = await self._migration.flip(
            name,
            asked.position,
            who=who,
            why=asked.why,
            force=asked.force,
            dry_run=asked.dry_run,
            report=self._seen(asked.report),
        )
        if result.done and not result.dry_run and asked.guard_s is not None:
            await self._migration.guards.start(name, asked.guard_s, who)
        return result

    async def rollback(self, asked: bodies.Rollback, who: str) -> tuple[Sequence[MoveResult], list[View]]:
        """Rolls one movable back, or all that have left legacy; and which gateways were told. Raises AdminRefusal."""
        units = [self.movable(asked.unit).name] if asked.unit else self._rollback_targets()
        known = self._migration.served.movables
        given = {unit: parse_name(name) for unit, name in asked.names.items() if unit in known}
        names = {**self._migration.rollback_names(units), **given}
        rollback = self._migration.rollback(units, who=who, why=asked.why, passed_on=names)
        return await asyncio.gather(rollback, self._gateways.pass_on(names, who, asked.why))

    async def release(self, asked: bodies.OneOrAll, who: str) -> Sequence[MoveResult]:
        """Ends the hold of one movable, or of all. Raises AdminRefusal."""
        units = [self.movable(asked.unit).name] if asked.unit else self._held()
        return [await self._migration.release(unit, who=who, why=asked.why) for unit in units]

    def _rollback_targets(self) -> list[str]:
        """Movables that have left legacy: a hold on the others would only have to be released again."""
        movables = self._migration.served.movables
        return [name for name, movable in movables.items() if movable.state is not MigrationState.LEGACY]

    def _held(self) -> list[str]:
        standings = self._migration.standings
        return [name for name in self._migration.served.movables if standings[name].hold is not None]
