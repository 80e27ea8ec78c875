"""What all users share: who serves which route, goods and exercises, other people, mails, what was observed."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from examples.demo.clients import Observations
from examples.migration.mails import Mails
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import MigrationState, Route, RouteTable


class Unserved(Exception):
    """Nobody serves this route at present: an activity ends here, and that is no failure."""


class Routes:
    """The table, and what can be asked for at present. `whole`: groups that the services alone serve."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self.whole = {name for name, one in table.movables.items() if one.state is MigrationState.EXTRACTED}
        self.monolith_runs = True
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        """How often each route answered with each status."""
        self.known_errors: Counter[str] = Counter()
        """How often each route answered with a 5xx that the monolith gives too."""
        self.in_flight: Counter[str] = Counter()
        self._matcher = Matcher(table)

    @property
    def groups(self) -> list[str]:
        """Groups that have to move, in the order of the file."""
        ends = (route.movable for route in self.table.routes if route.has_new_end)
        return list(dict.fromkeys(one.name for one in ends if one.state is not MigrationState.EXTRACTED))

    def of(self, group: str) -> list[Route]:
        """The routes of a group that have a new end."""
        return [route for route in self.table.routes if route.movable.name == group and route.has_new_end]

    def served(self, method: str, path: str) -> Route:
        """The route of a request. Raises Unserved."""
        route, _ = self._matcher.match(method.encode(), path.partition("?")[0].encode())
        is_served = route.movable.name in self.whole if route.new else self.monolith_runs or route.has_new_end
        if not is_served:
            raise Unserved(route.id)
        return route

    def waiting_for_monolith(self) -> int:
        """Requests under way that the monolith alone can answer."""
        ends = {route.id for route in self.table.routes if route.has_new_end}
        return sum(number for route, number in self.in_flight.items() if route not in ends)


@dataclass(frozen=True, slots=True)
class Item:
    """Something to buy."""

    id: str
    cost: int


@dataclass(frozen=True, slots=True)
class Exercise:
    """A content with one editor. Without a validator every submission succeeds (the monolith's fault F5)."""

    content_id: str
    component_id: str
    validator_id: str | None
    reward: int


@dataclass(frozen=True, slots=True)
class Person:
    """Whom others see."""

    id: str
    email: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a system has counted before the migration. By route: errors and differences."""

    sales: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    different: Mapping[str, int] = field(default_factory=dict)


@dataclass
class World:
    """One per migration. Users stop between two activities when `stopping` is set.

    `gateways`: a URL for each user, one after another.
    """

    gateways: Iterator[str]
    routes: Routes
    mails: Mails
    observed: Observations = field(default_factory=Observations)
    items: list[Item] = field(default_factory=list)
    exercises: list[Exercise] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    stopping: bool = False
    earlier: Earlier = field(default_factory=Earlier)

    def problems(self) -> str:
        """What users have found to be wrong; empty: nothing."""
        return "; ".join(self.observed.examples)
