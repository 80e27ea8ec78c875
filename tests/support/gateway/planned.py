"""A migration that drives itself on clocks of its own: hours of a plan take a moment."""

from dataclasses import dataclass, field

from strangler_gateway.migration.migration import Migration
from strangler_gateway.plans.driver import PlanDriver
from strangler_gateway.plans.notices import Notice
from strangler_gateway.plans.plans import Plans
from strangler_gateway.plans.progress import ProgressBook
from strangler_gateway.plans.standings import PlanStandings
from strangler_gateway.table.position import Position
from strangler_gateway.table.rules.plan import PlanRules
from tests.support.gateway.migrating import World

TICK_S = 5.0
PLAN = "auto: true, steps: [shadow 1h, canary 10% 1h, canary 50%, extracted]"


def planned(plan: str = PLAN, more: str = "retire_after: 1d, gate: {min: 10}") -> tuple[str, str]:
    """What `World.edit` has to change for the group `items` to have a plan."""
    return "retire_after: 1d, gate: {min: 10}", f"{more}, plan: {{{plan}}}"


@dataclass
class Clocks:
    """Both clocks of a world; `jump` moves the wall clock alone."""

    world: World
    passed: float = 0.0

    def wall(self) -> float:
        return self.world.now

    def monotonic(self) -> float:
        return self.passed

    def go_on(self, seconds: float) -> None:
        self.world.now += seconds
        self.passed += seconds


@dataclass
class Driven:
    """One gateway's driver over a migration of a world."""

    world: World
    migration: Migration
    clocks: Clocks = field(init=False)
    notices: list[Notice] = field(default_factory=list)
    here: PlanStandings = field(init=False)
    driver: PlanDriver = field(init=False)
    plans: Plans = field(init=False)

    def __post_init__(self) -> None:
        self.clocks = Clocks(self.world)
        self.here = PlanStandings(self.migration, self.clocks, ProgressBook())
        self.driver = PlanDriver(self.migration, self.here, self._tell)
        self.plans = Plans(self.migration, self.here, self.driver)

    def _tell(self, rules: PlanRules, notice: Notice) -> None:
        self.notices.append(notice)

    async def go_on(self, seconds: float) -> None:
        """So much time goes by, tick by tick."""
        left = seconds
        while left > 0:
            step = min(TICK_S, left)
            left -= step
            self.clocks.go_on(step)
            await self.driver.tick()
            await self.driver.settled()

    @property
    def events(self) -> list[str]:
        return [notice.event for notice in self.notices]

    def position(self, unit: str = "items") -> Position:
        return self.migration.standings[unit].position
