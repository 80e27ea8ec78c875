"""Instances from Consul: those whose checks pass, told by a blocking query as soon as they change."""

import asyncio
from collections.abc import Iterable
from typing import Final

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.consul.values import ConsulFailed, Indexed, ServiceInstance, next_index
from chassis.discovery.port import Instance, located
from chassis.discovery.target import DiscoveryTarget
from chassis.discovery.watch import InstanceSource, SourceAnswer, SourceAway

WAIT_S: Final = 10.0
"""A question waits this long for a change. That, and the time-out of a call, bound how late an outage is noticed."""

SETTLED_S: Final = 0.05
"""After a change, before it is read: an agent may tell of a new instance some milliseconds before of its check."""


class ConsulSources:
    """Made inside the event loop; one client for all services."""

    def __init__(self, settings: ConsulSettings) -> None:
        """Raises ValueError."""
        self._consul = Consul(settings)

    def source(self, target: DiscoveryTarget) -> InstanceSource:
        """Of one service."""
        return ConsulSource(self._consul, target)

    def close(self) -> None:
        """Ends its connections."""
        self._consul.close()


class ConsulSource:
    """One service. Where Consul cannot be right, the instances that were known stay (docs/discovery.md):

    nothing is registered any more straight after an outage, or when its index went back: it was wiped or restored;
    or every registered instance fails its checks: an agent that restarts begins so.
    """

    def __init__(self, consul: Consul, target: DiscoveryTarget, wait_s: float = WAIT_S) -> None:
        self._consul, self._target, self._wait_s = consul, target, wait_s
        self._index: int | None = None
        self._seen = 0
        self._known: tuple[Instance, ...] = ()
        self._doubtful = False

    async def ask(self) -> SourceAnswer:
        """Raises SourceAway."""
        behind = self._index
        try:
            found = await self._read(behind)
            if behind is not None and found.index != behind:
                await asyncio.sleep(SETTLED_S)
                found = await self._read(None)
        except ConsulFailed as error:
            self._index = None  # asks without waiting, as soon as somebody answers again
            self._doubtful = True
            raise SourceAway(str(error)) from error
        self._doubtful = (self._doubtful or found.index < self._seen) and not found.value
        self._index, self._seen = next_index(self._index, found.index), found.index
        return self._judged(found.value)

    async def _read(self, index: int | None) -> Indexed[tuple[ServiceInstance, ...]]:
        target = self._target
        return await self._consul.instances(target.name, tag=target.tag, dc=target.dc, index=index, wait_s=self._wait_s)

    def _judged(self, rows: tuple[ServiceInstance, ...]) -> SourceAnswer:
        if self._doubtful and self._known:
            return SourceAnswer(None, f"Consul knows no instance of {self._target.name} since it was away or restored")
        passing = _located(row for row in rows if row.passing)
        if passing or not rows:
            self._known = passing
            return SourceAnswer(passing)
        registered = set(_located(rows))
        self._known = tuple(one for one in self._known if one in registered)
        problem = f"no instance of {self._target.name} passes its checks" if self._known else None
        return SourceAnswer(self._known, problem)


def _located(rows: Iterable[ServiceInstance]) -> tuple[Instance, ...]:
    """Those with a usable address, in order. Ids are unique at one agent only, so they do not count."""
    found = {located(row.host, row.port) for row in rows if _is_usable(row)}
    return tuple(sorted(found, key=lambda one: one.id))


def _is_usable(row: ServiceInstance) -> bool:
    host = row.host
    return 0 < row.port < 65536 and bool(host) and host.isascii() and host.isprintable() and " " not in host
