"""What serves clients: this process (here), or several workers (workers/). The rest of the gateway does not know which.

An answer to an operator means all of it: a move is answered when everything serves it, a number when all have counted.
"""

import asyncio
import socket
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Protocol

from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.recording.record import Recorder
from strangler_gateway.server.accepting import FastAccepting
from strangler_gateway.server.shutdown import drain, leave
from strangler_gateway.server.sweeper import sweep_for_ever
from strangler_gateway.server.uvicorn_server import protocol_of, public_server
from strangler_gateway.settings import Settings
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.upstream.discovery import DiscoveredServices


class Serving(Protocol):
    """The processes that serve the public port."""

    def prepare(self) -> None:
        """Begins what takes time and needs no table."""
        ...

    async def begin(self, table: RouteTable) -> None:
        """Opens what the table needs. Raises OSError, IdentityRulesInvalid, SettingsInvalid."""
        ...

    async def serve(self, tasks: asyncio.TaskGroup) -> None:
        """Returns when clients are served; goes on in tasks until `stop`."""
        ...

    def adopt(self, table: RouteTable) -> None:
        """Serves another table from now on. Raises IdentityRulesInvalid; the old one stays then."""
        ...

    async def acknowledged(self) -> tuple[str, ...]:
        """Returns when all serve the last table, with a note for each process that had to be replaced for it."""
        ...

    async def refresh(self) -> None:
        """Returns when the counters have everything that was counted until now."""
        ...

    def count_again(self, routes: Mapping[str, Sequence[str]]) -> None:
        """By movable, the routes on which users who have failed count again, in every process."""
        ...

    @property
    def recorder(self) -> Recorder:
        """Records the exchanges of all."""
        ...

    @property
    def limits(self) -> LimiterStatus:
        """Where all count for rate limits."""
        ...

    @property
    def bulkheads(self) -> Sequence[BulkheadStatus]:
        """Of services that have had a request."""
        ...

    @property
    def turns(self) -> str | None:
        """Why Redis can give no turns for `serialize`, or None."""
        ...

    @property
    def instances(self) -> Sequence[InstanceStatus]:
        """Of services, as all see them."""
        ...

    @property
    def discovered(self) -> DiscoveredServices:
        """The instances that a process of it knows."""
        ...

    async def leave(self, seconds: float, at_once: Awaitable[object], *, accepting: bool = True) -> None:
        """Serves on for so long, at most until `at_once` is over, and tells clients that their connections end.

        `accepting` False: it takes no new connection; another process takes those that wait.
        """
        ...

    async def stop(self, drain_s: float, at_once: Awaitable[object]) -> None:
        """Takes no new connection, and finishes what is under way; what is left at the end is ended."""
        ...

    async def aclose(self) -> None:
        """Ends whatever still runs."""
        ...


class InProcess:
    """Serves clients in this process. `listeners` are closed when it stops."""

    def __init__(self, settings: Settings, outside: Outside, listeners: Sequence[socket.socket]) -> None:
        self._settings, self._outside, self._listeners = settings, outside, list(listeners)
        self._gateway: Gateway | None = None
        self._helpers: list[asyncio.Task[None]] = []

    @property
    def gateway(self) -> Gateway:
        """Once it has begun."""
        assert self._gateway is not None
        return self._gateway

    def prepare(self) -> None:
        """There is nothing to be begun before the table is known."""

    async def begin(self, table: RouteTable) -> None:
        """Makes the gateway."""
        self._gateway = Gateway(self._settings, table, self._outside)
        await self._gateway.start()

    async def serve(self, tasks: asyncio.TaskGroup) -> None:
        """Takes connections."""
        settings, gateway = self._settings, self.gateway
        self._public = public_server(gateway.front)
        tasks.create_task(self._public.serve(self._listeners))
        await self._public.up.wait()
        made = partial(protocol_of, self._public, gateway.front)
        self._accepting = FastAccepting(self._listeners, made, self._public.config.ssl)
        self._public.on_accepted = self._accepting.more
        sweep = sweep_for_ever(
            self._public, settings, gateway.front.now, gateway.upstreams.sweep, gateway.outside.log.flush
        )
        self._helpers = [tasks.create_task(sweep)]

    def adopt(self, table: RouteTable) -> None:
        """At once."""
        self.gateway.adopt(table)

    async def acknowledged(self) -> tuple[str, ...]:
        """`adopt` has done it."""
        return ()

    async def refresh(self) -> None:
        """All is counted here."""

    def count_again(self, routes: Mapping[str, Sequence[str]]) -> None:
        """There is no other process."""

    @property
    def recorder(self) -> Recorder:
        """Of this process."""
        return self.gateway.recorder

    @property
    def bulkheads(self) -> Sequence[BulkheadStatus]:
        """As this process knows them."""
        return self.gateway.upstreams.bulkheads()

    @property
    def limits(self) -> LimiterStatus:
        """Of this process."""
        return self.gateway.limiter.status

    @property
    def turns(self) -> str | None:
        """Of this process."""
        return None if self.gateway.turns is None else self.gateway.turns.problem

    @property
    def instances(self) -> Sequence[InstanceStatus]:
        """As this process sees them."""
        return self.gateway.upstreams.statuses()

    @property
    def discovered(self) -> DiscoveredServices:
        """Of this process; nothing is watched before it has begun."""
        return self._gateway.discovered if self._gateway else DiscoveredServices(self._outside.discovery.watch)

    async def leave(self, seconds: float, at_once: Awaitable[object], *, accepting: bool = True) -> None:
        """Each client is told with its next answer."""
        if not accepting:
            self._accepting.close()
            for server in self._public.servers:
                server.close()
        await leave(self._public, at_once, seconds)

    async def stop(self, drain_s: float, at_once: Awaitable[object]) -> None:
        """The port is closed."""
        self._accepting.close()
        await drain(self._public, at_once, drain_s)
        for helper in self._helpers:
            helper.cancel()

    async def aclose(self) -> None:
        """Ends connections to services, and writes the log out."""
        if self._gateway is not None:
            await self._gateway.aclose()
