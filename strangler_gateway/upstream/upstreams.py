"""All services of the table, each with its balancer."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from chassis.discovery.port import Instance
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.upstream.balancing.balancer import Balancer, instances_of
from strangler_gateway.upstream.connections.host_names import HostNames
from strangler_gateway.upstream.health_checks import HealthChecks

_PLACE = ("host", "port", "unix", "instances")


class Upstreams:
    """A balancer lives as long as its service is in the table with nothing changed but its instances."""

    def __init__(
        self,
        now: Callable[[], float],
        max_header: int,
        batch: WriteBatch,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._now, self._max_header, self._batch, self._draw = now, max_header, batch, draw
        self._balancers: dict[str, Balancer] = {}
        self._found: dict[str, tuple[Instance, ...]] = {}
        """The instances of services that are discovered."""
        self._leaving: list[Balancer] = []
        self._names = HostNames()
        self._checks = HealthChecks(now, draw, self._names)

    def pool(self, service: Service) -> Balancer:
        """Who takes calls for a service; made on first use."""
        balancer = self._balancers.get(service.name)
        if balancer is None or balancer.service is not service:
            return self._renewed(service, balancer)
        return balancer

    def breaker_open(self, service: Service) -> bool:
        """True while calls to the service are known to be futile."""
        return not self.pool(service).available

    def keep(self, services: Mapping[str, Service]) -> None:
        """Serves another table: pools of unchanged instances stay; calls under way of the others finish."""
        for name in [name for name in self._found if not _discovered(services.get(name))]:
            del self._found[name]
        for name, balancer in [*self._balancers.items()]:
            service = services.get(name)
            if service is None or not _same_but_instances(service, balancer.service):
                self._leave(self._balancers.pop(name))
            elif balancer.service is not service:
                balancer.service = service
                balancer.set_instances(self._instances(service))
        for service in services.values():
            self.pool(service)

    def set_instances(self, name: str, instances: Iterable[Instance]) -> None:
        """The instances of a discovered service, in place of those known until now."""
        self._found[name] = found = tuple(instances)
        if name in self._balancers:
            self._balancers[name].set_instances(found)

    def _instances(self, service: Service) -> tuple[Instance, ...]:
        return self._found.get(service.name, ()) if service.discover else instances_of(service)

    def _renewed(self, service: Service, balancer: Balancer | None) -> Balancer:
        """For a service without a balancer, and for requests that another table than the kept one has decided."""
        if balancer is not None:
            if _same_but_instances(service, balancer.service):
                return balancer
            self._leave(balancer)
        instances = self._instances(service)
        made = Balancer(service, self._now, self._max_header, self._batch, instances, self._draw, self._names)
        self._balancers[service.name] = made
        return made

    def statuses(self) -> list[InstanceStatus]:
        """Of all instances of all services."""
        return [status for balancer in self._balancers.values() for status in balancer.statuses()]

    @property
    def checks_running(self) -> int:
        """How many instances are asked just now whether they are well."""
        return self._checks.running

    def bulkheads(self) -> list[BulkheadStatus]:
        """Of all services that have had a request."""
        now = self._now()
        return [one.bulkhead.status(one.budget.state(now)) for one in self._balancers.values()]

    def _leave(self, balancer: Balancer) -> None:
        balancer.close()
        self._leaving.append(balancer)

    def sweep(self) -> None:
        """Time-outs of all calls."""
        for balancer in (*self._balancers.values(), *self._leaving):
            balancer.sweep()
        self._checks.sweep(self._balancers.values())
        self._leaving = [balancer for balancer in self._leaving if balancer.active]

    def close(self) -> None:
        """At the end of the process."""
        self._checks.close()
        self.keep({})
        for balancer in self._leaving:
            for call in balancer.active:
                call.abort()


def _discovered(service: Service | None) -> bool:
    return service is not None and service.discover is not None


def _same_but_instances(one: Service, other: Service) -> bool:
    return one == other or replace(one, **{name: getattr(other, name) for name in _PLACE}) == other
