"""Whatever is done to a migration in whatever order: a held unit never moves forward, a rollback ends in legacy."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from strangler_gateway.migration.journal.journal_entry import Standing, after
from strangler_gateway.migration.routes_file.edit import Edit, rewrite
from strangler_gateway.table.position import ORDER, Position, position_of
from strangler_gateway.table.routes import MigrationState
from tests.support.effort import examples
from tests.support.gateway.migrating import LEGACY, World, reported

UNITS = {"items": "group", "orders": "group", "search": "route"}
units = st.sampled_from(sorted(UNITS))
positions = st.sampled_from(
    [Position(state) for state in ORDER if state is not MigrationState.CANARY]
    + [Position(MigrationState.CANARY, n) for n in (0, 1, 5000)]
)


class MigrationMachine(RuleBasedStateMachine):
    """`held` is what the machine knows of holds; `before` is where each unit stood before the last rule."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.held: set[str] = set()
        self.rolled_back: set[str] = set()
        self.start()

    def teardown(self) -> None:
        self.run(self.controller.aclose())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def start(self, *, away: bool = False) -> None:
        self.controller = self.world.controller(away=away)
        first = self.run(self.controller.start())
        self.world.served.append(first)
        self.before = self.places()

    def places(self) -> dict[str, Position]:
        return {name: position_of(self.controller.served.movables[name]) for name in UNITS}

    @rule(unit=units, to=positions, force=st.booleans(), why=st.sampled_from(["", "because"]))
    def flip(self, unit: str, to: Position, force: bool, why: str) -> None:
        before = self.places()[unit]
        outcome = self.run(
            self.controller.flip(unit, to, who="alice", why=why, force=force, report=reported(self.world, to, unit))
        )
        assert self.places()[unit] == outcome.after == (to if outcome.done else before)
        if to.rank > before.rank:
            assert not (
                outcome.done and (unit in self.held or not why or self.world.disk.away or self.world.unservable)
            )
        else:
            assert outcome.done or before.state is MigrationState.RETIRED or self.world.unservable

    @rule(unit=units)
    def climb(self, unit: str) -> None:
        """Random moves alone would seldom come far."""
        here = self.places()[unit].state
        if here is not MigrationState.RETIRED:
            to = ORDER[ORDER.index(here) + 1]
            self.flip(unit, Position(to, 5000 if to is MigrationState.CANARY else 0), True, "up")

    @rule(unit=units)
    def climb_to_the_top(self, unit: str) -> None:
        for _ in range(3):
            self.before = self.places()
            self.climb(unit)
        self.world.now += 30 * 86400
        self.before = self.places()
        self.climb(unit)

    @rule(names=st.lists(units, min_size=1, max_size=3))
    @precondition(lambda self: not self.world.unservable)
    def rollback(self, names: list[str]) -> None:
        outcomes = self.run(self.controller.rollback(names, who="bob"))
        assert all(o.done and o.held and o.after == LEGACY for o in outcomes)
        assert all(self.places()[name] == LEGACY for name in names)
        self.held |= set(names)
        self.rolled_back |= set(names)

    @rule(unit=units)
    def release(self, unit: str) -> None:
        outcome = self.run(self.controller.release(unit, who="bob"))
        assert outcome.done or self.world.disk.away
        if outcome.done:
            self.held.discard(unit)

    @rule(unit=units, to=positions)
    @precondition(lambda self: not self.broken())
    def edit_the_file(self, unit: str, to: Position) -> None:
        edit = Edit(unit, UNITS[unit], to)  # type: ignore[arg-type]
        text = rewrite(self.world.path.read_text(), (edit,))
        self.world.path.chmod(0o644)
        self.world.path.write_text(text)

    @rule(unit=units)
    @precondition(lambda self: not self.broken())
    def climb_in_the_file(self, unit: str) -> None:
        here = self.places()[unit].state
        to = ORDER[min(ORDER.index(here) + 1, len(ORDER) - 1)]
        self.edit_the_file(unit, Position(to, 5000 if to is MigrationState.CANARY else 0))
        self.reload()

    @rule()
    def reload(self) -> None:
        reloaded = self.run(self.controller.reload())
        assert bool(reloaded.faults) == self.broken() or self.world.unservable

    @rule()
    def break_or_mend_the_file(self) -> None:
        text = self.world.path.read_text()
        self.world.path.chmod(0o644)
        old, new = ("version: 2", "version: 1") if self.broken() else ("version: 1", "version: 2")
        self.world.path.write_text(text.replace(old, new))

    @rule()
    def make_the_file_read_only(self) -> None:
        self.world.path.chmod(0o444)

    @rule(away=st.booleans())
    def take_or_give_the_disk(self, away: bool) -> None:
        self.world.disk.away = away

    @rule(unservable=st.sampled_from([False, False, True]))
    def let_tables_fail(self, unservable: bool) -> None:
        self.world.unservable = unservable

    @rule(down=st.sets(st.just("items")))
    def stop_or_start_the_service(self, down: set[str]) -> None:
        self.world.down = down

    @rule(route=st.sampled_from(["item-read", "search"]), different=st.sampled_from([0, 0, 0, 1]))
    def compare(self, route: str, different: int) -> None:
        self.world.compared(route, different)

    @rule(away=st.booleans())
    @precondition(lambda self: not self.broken())
    def restart(self, away: bool) -> None:
        self.world.disk.away = False
        self.run(self.controller.aclose())
        assert self.replayed() == {unit: self.controller.standings[unit].position for unit in UNITS}
        before = self.before
        self.start(away=away)
        self.before = before

    @invariant()
    def a_held_unit_never_moves_forward_nor_any_without_the_journal(self) -> None:
        places = self.places()
        stuck = set(UNITS) if self.world.disk.away else self.held
        assert all(places[unit].rank <= self.before[unit].rank for unit in stuck)
        assert {unit for unit in UNITS if self.controller.standings[unit].hold} == self.held

    @invariant()
    def a_unit_moves_one_state_forward_at_most(self) -> None:
        for unit, place in self.places().items():
            steps = ORDER.index(place.state) - ORDER.index(self.before[unit].state)
            assert steps <= (2 if unit == "orders" else 1)

    @invariant()
    def retired_is_left_by_a_rollback_alone(self) -> None:
        for unit, place in self.places().items():
            if self.before[unit].state is MigrationState.RETIRED and place.state is not MigrationState.RETIRED:
                assert unit in self.rolled_back
        self.rolled_back.clear()
        self.before = self.places()

    @invariant()
    def what_is_served_is_what_was_adopted_last(self) -> None:
        assert self.controller.served == self.world.served[-1]
        assert [r.id for r in self.controller.served.routes] == [
            "item-read",
            "order-write",
            "search",
            "everything-else",
        ]
        for route in self.controller.served.routes:
            assert route.movable == self.controller.served.movables[route.movable.name]
        for unit in UNITS:
            assert self.controller.standings[unit].position == position_of(self.controller.served.movables[unit])

    def replayed(self) -> dict[str, Position]:
        standings: dict[str, Standing] = {}
        for entry in self.world.journal():
            standings[entry.unit] = after(standings.get(entry.unit), entry)
        return {unit: standings[unit].position for unit in UNITS}

    def broken(self) -> bool:
        return "version: 2" in self.world.path.read_text()


TestMigrationMachine = MigrationMachine.TestCase
TestMigrationMachine.settings = settings(
    max_examples=examples(30), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
