"""What is served of a movable that neither the journal nor the store tells anything about, until the store answers."""

from collections.abc import Set
from dataclasses import replace

from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.table.position import LEGACY, Position, position_of
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable, Service

_WHY = "unconfirmed: neither the journal nor the store says where it stands"
_NOBODY = Service("unconfirmed", "http", "unconfirmed", 0, discover="unconfirmed")
"""A service without an instance: its requests are answered 503."""


def unconfirmed(movable: Movable) -> Standing:
    """Legacy, which is safe with shared data. Retired where the file says so: legacy is declared gone.

    With data of its own and beyond shadow in the file, either side may lack what users have written: 503.
    """
    here = position_of(movable)
    retired = here.state is MigrationState.RETIRED
    closed = not retired and movable.data == "own" and here.rank > Position(MigrationState.SHADOW).rank
    return Standing(here if retired else LEGACY, who="restart", why=_WHY, assumed=True, closed=closed)


def with_closed(table: RouteTable, closed: Set[str]) -> RouteTable:
    """The table in which the routes of these movables lead nowhere."""
    if not closed:
        return table
    routes = tuple(_closed(route) if route.movable.name in closed else route for route in table.routes)
    return replace(table, routes=routes).sealed()


def _closed(route: Route) -> Route:
    return replace(route, legacy=_NOBODY, extracted=None, publish=None, aggregate=None, shadow=None)
