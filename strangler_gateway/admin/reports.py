"""What the admin port tells, whoever asks for it: the API, or the page. All values are JSON-able."""

from strangler_gateway.admin import views
from strangler_gateway.admin.gateways import Gateways
from strangler_gateway.admin.parts import AdminParts
from strangler_gateway.admin.requests import unknown_name
from strangler_gateway.admin.views import View
from strangler_gateway.migration.inventory import inventory
from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.totals import Totals
from strangler_gateway.steps.explain import explain
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Movable


class Reports:
    """An unknown name raises AdminRefusal."""

    def __init__(self, parts: AdminParts, migration: Migration, totals: Totals, gateways: Gateways) -> None:
        self._parts, self._migration, self._totals, self._gateways = parts, migration, totals, gateways

    def status(self) -> View:
        """What is served, and what is wrong."""
        return views.status(self._migration) | self._limits() | {"ready": self._parts.is_ready()}

    async def routes(self, *, own: bool = False) -> View:
        """Every route with the counters of all gateways; `own`: of this one alone, and nobody is asked."""
        counted = await (self._totals.own() if own else self._totals.of())
        shown = views.routes(self._migration, counted.total) | {"silent": list(counted.silent)}
        return shown | self._gateways.lagging() | self._limits()

    async def inventory(self) -> View:
        """What is left to migrate, by the counters of all gateways."""
        counted = await self._totals.of(users=True)
        return inventory(self._migration.served, counted.total) | {"silent": list(counted.silent)}

    async def services(self) -> View:
        """Every service, asked now."""
        found, table = await self._migration.services(), self._migration.served
        services = views.services(found, table, self._parts.instances(), self._parts.discovered.reports())
        return views.with_bulkheads(services, self._parts.bulkheads())

    async def differences(self, route: str) -> View:
        """What shadow has kept of a route, at all gateways: differences by name in this step, and examples."""
        if route not in {known.id for known in self._migration.served.routes}:
            raise unknown_name(route)
        found, silent = await self._totals.differences(route)
        one = next(known for known in self._migration.served.routes if known.id == route)
        known, _ = await self._migration.known(one.movable.name)
        assert known.gate is not None  # every movable that is served has it
        names = views.names_of(one, known.gate)
        return {"route": route, "names": names, "differences": found, "silent": list(silent)}

    async def gate(self, name: str) -> View:
        """What the last move of a movable has shown."""
        await self._migration.refresh()
        movable = self._movable(name)
        known, counted = await self._migration.known(movable.name)
        return views.gate(self._migration, movable, known, counted.problems)

    async def evidence(self, name: str) -> View:
        """What is known for and against a movable, rule by rule."""
        await self._migration.refresh()
        return dict((await self._migration.evidence(self._movable(name).name)).to_json())

    def explain(self, method: str, path: str, user: str | None) -> View:
        """Where a request would go."""
        one = explain(Matcher(self._migration.served), method, path, user)
        return views.explanation(one) | views.upstream_of(one, self._parts.bulkheads(), self._parts.instances())

    def _limits(self) -> View:
        return {"limits": views.limits(self._parts.limits()), "serialize": {"problem": self._parts.turns()}}

    def _movable(self, name: str) -> Movable:
        movable = self._migration.movable_of(name)
        if movable is None:
            raise unknown_name(name)
        return movable
