"""A migration behind its admin API: in process, and on a port of its own in a thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from chassis.discovery.open import Discovery
from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.admin.parts import AdminParts
from strangler_gateway.identity.signer import ephemeral_signer
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.page.app import OperatorsPage
from strangler_gateway.plans.plans import Plans
from strangler_gateway.recording.record import Recorder
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.upstream.discovery import DiscoveredServices
from tests.support.gateway.migrating import World
from tests.support.gateway.planned import Driven

OPERATOR, READER = "operator-secret-1", "reader-secret-2"
ALONE = LimiterStatus(None, None, 0)


class Kept:
    """What shadow kept."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, route_id: str) -> Sequence[Mapping[str, object]]:
        return self._world.examples.get(route_id, ())


def shown(
    world: World,
    settings: Settings,
    *,
    is_ready: bool = True,
    limits: Callable[[], LimiterStatus] = lambda: ALONE,
    bulkheads: Callable[[], Sequence[BulkheadStatus]] = list,
    instances: Callable[[], Sequence[InstanceStatus]] = list,
    plans: Plans | None = None,
) -> AdminParts:
    """As much of a gateway as the admin API shows."""
    keys, kept, discovered = ephemeral_signer(), Kept(world), DiscoveredServices(Discovery().watch)
    return AdminParts(
        settings,
        world.stats,
        keys,
        kept,
        Recorder(),
        lambda: is_ready,
        limits,
        instances,
        discovered,
        bulkheads=bulkheads,
        plans=plans,
    )


def settings(**given: Any) -> Settings:
    return Settings(**{"operator_token": OPERATOR, "reader_token": READER, **given})


class AdminServer:
    """The admin API on a free port; `world`, `limits`, `bulkheads` and `instances` may be changed meanwhile."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.world = World(folder)
        self.limits = ALONE
        self.bulkheads: list[BulkheadStatus] = []
        self.instances: list[InstanceStatus] = []
        self.port = 0
        """A free one."""
        self.later_s = 0.0
        """How much the page's clock is ahead."""
        self._given = given
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> "AdminServer":
        self._thread.start()
        end = time.monotonic() + 60
        while self._server is None or not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < end
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(10)

    def end_at_once(self) -> None:
        """As a crash would: connections are cut."""
        assert self._server is not None
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(60)

    async def _serve(self) -> None:
        self.migration = self.world.controller()
        await self.migration.start()
        parts = shown(
            self.world,
            settings(**self._given),
            limits=lambda: self.limits,
            bulkheads=lambda: self.bulkheads,
            instances=lambda: self.instances,
            plans=Driven(self.world, self.migration).plans,
        )
        self.keys = parts.keys.jwks()
        desk = AdminDesk(parts, self.migration)
        page = OperatorsPage(desk, lambda: time.monotonic() + self.later_s)
        app = admin_app(desk, page.routes)
        config = uvicorn.Config(app, port=self.port, lifespan="off", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        looking = asyncio.create_task(page.run())
        await self._server.serve()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await self.migration.aclose()
