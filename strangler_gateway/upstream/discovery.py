"""Watches the instances of each service with `discover:` as long as it is in the table, and hands them on."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chassis.discovery.port import Instance, InstanceWatch, WatchStatus
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.balancing.balancer import instances_of

FIRST_ANSWERS_S: Final = 5.0
"""A start waits this long for the first answer of every source; then it goes on without."""

Watches = Mapping[str, InstanceWatch]


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """How the instances of a service are known. `target`: as in `discover:`."""

    target: str
    status: WatchStatus
    instances: tuple[Instance, ...]


@dataclass(slots=True)
class _WatchedService:
    target: str
    watch: InstanceWatch
    instances: tuple[Instance, ...] = ()
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class DiscoveredServices:
    """`open_watch` takes a target, and raises SettingsInvalid; `publish` is told the instances of a service."""

    def __init__(
        self,
        open_watch: Callable[[str], InstanceWatch],
        publish: Callable[[str, tuple[Instance, ...]], None] = lambda _name, _instances: None,
    ) -> None:
        self._open_watch, self._publish = open_watch, publish
        self._watched: dict[str, _WatchedService] = {}

    def opened(self, services: Mapping[str, Service]) -> Watches:
        """Watches for the services of a table that are not watched yet; nobody is asked. Raises SettingsInvalid."""
        wanted = {name: service.discover for name, service in services.items() if service.discover}
        return {name: self._open_watch(target) for name, target in wanted.items() if self._target(name) != target}

    def keep(self, services: Mapping[str, Service], watches: Watches) -> None:
        """Goes over to another table with what `opened` gave for it, inside the event loop."""
        for name in [name for name in self._watched if name in watches or not _is_discovered(services.get(name))]:
            _end(self._watched.pop(name))
        for name, watch in watches.items():
            watched = self._watched[name] = _WatchedService(services[name].discover or "", watch)
            watched.task = asyncio.get_running_loop().create_task(self._follow(name, watched))

    async def first_answers(self, timeout_s: float = FIRST_ANSWERS_S) -> None:
        """Returns when every source has answered once, or after the time."""
        waits = [watched.answered.wait() for watched in self._watched.values()]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*waits), timeout_s)

    def instances(self, service: Service) -> tuple[Instance, ...]:
        """Those that may be called now, whether routes.yaml names them or they are discovered."""
        if service.discover is None:
            return instances_of(service)
        watched = self._watched.get(service.name)
        return watched.instances if watched else ()

    async def look_up(self, service: Service) -> tuple[Instance, ...]:
        """The same; one that is not watched is asked for once, for some seconds at most. Raises SettingsInvalid."""
        if service.discover is None or self._target(service.name) == service.discover:
            return self.instances(service)
        watch = self._open_watch(service.discover)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ANSWERS_S):
                async for instances in watch:
                    return instances
        return ()

    def reports(self) -> Mapping[str, DiscoveryReport]:
        """Of each discovered service, by name."""
        known = self._watched.items()
        return {name: DiscoveryReport(one.target, one.watch.status, one.instances) for name, one in known}

    async def aclose(self) -> None:
        """Ends the watches."""
        tasks: Sequence[asyncio.Task[None]] = [one.task for one in self._watched.values() if one.task is not None]
        for watched in self._watched.values():
            _end(watched)
        self._watched.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _target(self, name: str) -> str | None:
        return self._watched[name].target if name in self._watched else None

    async def _follow(self, name: str, watched: _WatchedService) -> None:
        async for instances in watched.watch:
            watched.instances = instances
            self._publish(name, instances)
            watched.answered.set()


def _is_discovered(service: Service | None) -> bool:
    return service is not None and service.discover is not None


def _end(watched: _WatchedService) -> None:
    if watched.task is not None:
        watched.task.cancel()
