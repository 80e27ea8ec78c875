"""How the routes file differs from what is served."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import MigrationState, Route, RouteTable

_REST = ("paths", "identity", "trusted_proxies", "identity_headers", "errors")


@dataclass(frozen=True, slots=True)
class MovableDiff:
    """A movable that stands elsewhere than the file says, and why."""

    unit: str
    file: Position
    served: Position
    reason: str


@dataclass(frozen=True, slots=True)
class Diff:
    """`file_digest` None: the file is faulty. `unread`: it has changed since it was loaded."""

    served_digest: str
    file_digest: str | None
    faults: tuple[str, ...] = ()
    unread: bool = False
    units: tuple[MovableDiff, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """`added`, `removed`, `changed`: ids of routes; `changed` also names other parts of the file."""

    @property
    def same(self) -> bool:
        """Whether a restart would serve the same."""
        return not (self.faults or self.units or self.added or self.removed or self.changed)


def compare(served: RouteTable, file: RouteTable, unread: bool, reason: Callable[[str], str]) -> Diff:
    """`reason` returns why a movable stands elsewhere than the file says."""
    here = {route.id: _bare(route) for route in served.routes}
    there = {route.id: _bare(route) for route in file.routes}
    changed = sorted(name for name in here.keys() & there.keys() if here[name] != there[name])
    return Diff(
        served_digest=served.digest,
        file_digest=file.digest,
        unread=unread,
        units=tuple(_movables(served, file, reason)),
        added=tuple(sorted(there.keys() - here.keys())),
        removed=tuple(sorted(here.keys() - there.keys())),
        changed=(*changed, *(part for part in _REST if getattr(served, part) != getattr(file, part))),
    )


def _bare(route: Route) -> Route:
    """Without its line in the file, and without the position, which `units` compares."""
    return replace(route, line=0, movable=replace(route.movable, state=MigrationState.LEGACY, share=0))


def _movables(served: RouteTable, file: RouteTable, reason: Callable[[str], str]) -> Iterator[MovableDiff]:
    for name, movable in file.movables.items():
        if name in served.movables and position_of(movable) != position_of(served.movables[name]):
            yield MovableDiff(name, position_of(movable), position_of(served.movables[name]), reason(name))
