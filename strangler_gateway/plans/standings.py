"""Where every plan stands here: the rules of the served table, the standings, the time that was spent, the clock."""

from collections.abc import Mapping
from typing import Protocol

from strangler_gateway.cluster.record import PlanState, plan_state
from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.plans.clocks import ClockWatch, PlanClock
from strangler_gateway.plans.decide import Moment, PlanStanding
from strangler_gateway.plans.progress import ProgressBook
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.table.rules.plan import PlanRules


class ServedStandings(Protocol):
    """What is served, and where it stands."""

    @property
    def served(self) -> RouteTable:
        """The table that requests are matched against."""
        ...

    @property
    def standings(self) -> Mapping[str, Standing]:
        """By movable."""
        ...


class PlanStandings:
    """Every gateway keeps one, so that any of them can take over."""

    def __init__(self, migration: ServedStandings, clock: PlanClock, book: ProgressBook) -> None:
        self._migration, self._clock, self.book = migration, clock, book
        self._watch = ClockWatch()
        self._ticked = clock.monotonic()
        self.moment = Moment(clock.wall())

    def tick(self) -> float:
        """Time goes by; how many seconds, by the clock that does not jump."""
        now = self._clock.monotonic()
        seconds, self._ticked = now - self._ticked, now
        wall = self._clock.wall()
        self.moment = Moment(wall, self._watch.is_steady(wall, now))
        standings = self._migration.standings
        self.book.tick(seconds, {unit: standings[unit] for unit in self.plans() if unit in standings}, wall)
        return seconds

    def plans(self) -> dict[str, PlanRules]:
        """By movable that has one."""
        movables = self._migration.served.movables
        return {unit: movable.plan for unit, movable in movables.items() if movable.plan is not None}

    def standing(self, unit: str) -> PlanStanding:
        """Where the plan of a movable stands. Raises KeyError if it is not served."""
        here, progress = self._migration.standings[unit], self.book.of(unit)
        progress.meet(here, self.moment.now)
        plan = plan_state(here.record)
        return PlanStanding(
            here.position,
            progress.spent_s,
            here.hold,
            plan.by or "somebody" if plan.paused else None,
            plan.asked,
            plan.approved,
            progress.rollback_ages,
            plan.probe,
            self._known(unit, plan),
            progress.late,
        )

    def _known(self, unit: str, plan: PlanState) -> tuple[tuple[KnownFailures, float], ...]:
        remember_s = self._migration.served.movables[unit].gate.breach.remember_s
        until = ((one, one.at + remember_s) for one in plan.known)
        return tuple((one, end) for one, end in until if end > self.moment.now)
