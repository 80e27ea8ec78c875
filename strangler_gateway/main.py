"""Composition root of the gateway process: builds everything, serves two ports, ends gracefully."""

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import socket
import sys
from typing import Any

import uvicorn

from chassis.service.logs import configure
from chassis.settings import SettingsInvalid
from strangler_gateway import opening
from strangler_gateway.admin.app import AdminParts, admin_app
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.gateway import Outside
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.identity.signer import SigningKeyInvalid
from strangler_gateway.joined import joined
from strangler_gateway.migration.file_watch import Reloader
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.readiness import ServiceReadiness, ask
from strangler_gateway.migration.saved_file import differences_file
from strangler_gateway.server.listener import listen, listen_together
from strangler_gateway.server.shutdown import StopSignals
from strangler_gateway.server.uvicorn_server import address, admin_server
from strangler_gateway.serving import InProcess, Serving
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.routes import Service
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.workers import Shared, Workers

log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Runs the gateway until SIGTERM or SIGINT; gives the exit status."""
    configure("strangler")
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(run(settings))
    except RoutesInvalid as exc:
        print(f"{settings.routes} is not served. {exc}", file=sys.stderr)
    except (SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError) as exc:
        print(f"strangler cannot start: {exc}", file=sys.stderr)
    return 1


async def run(settings: Settings) -> int:
    """Runs the gateway on the loop of the main thread until SIGTERM or SIGINT; gives the exit status.

    Raises RoutesInvalid, SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError before it serves.
    """
    # Until the reloader takes it over, a hang-up must not end the process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    with contextlib.ExitStack() as open_files:
        process = _Process(settings, open_files)
        try:
            await process.serve()
        finally:
            await process.aclose()
    return 0


class _Process:
    """What one gateway is made of. `open_files` closes its sockets and its log."""

    def __init__(self, settings: Settings, open_files: contextlib.ExitStack) -> None:
        self._settings = settings
        self._stats, self._examples, self._publishing = Stats(), Examples(), opening.publishing(settings)
        self._public = [open_files.enter_context(one) for one in _public_listeners(settings)]
        self._admin = open_files.enter_context(listen(settings.admin_host, settings.admin_port))
        self._signer = opening.signer(settings)
        self._serving = self._serving_of(open_files.enter_context(opening.log_output(settings)))
        self._joined = joined(settings, self._signer, self._stats, lambda units: self._migration.row(units))
        self._is_ready = False
        self._migration = Migration(
            settings.routes,
            settings.state,
            stats=self._stats,
            adopt=self._serving.adopt,
            broker=self._publishing.probe,
            examples=self._examples.of,
            probe=self._probe,
            saved=(differences_file(settings.state, self._examples.snapshot, self._examples.restore),),
            acknowledged=self._serving.acknowledged,
            refresh=self._serving.refresh,
            **(self._joined.control if self._joined else {}),
        )

    def _serving_of(self, out: Any) -> Serving:
        settings = self._settings
        if settings.workers > 1:
            shared = Shared(settings, self._signer, secrets.token_hex(4))
            return Workers(shared, [[one] for one in self._public], self._stats, self._examples)
        outside = Outside(
            AccessLog(out, settings.log_fields.split(",")),
            self._signer,
            self._stats,
            self._examples,
            self._publishing,
            shared_counters=opening.shared_counters(settings),
            traces=opening.traces(),
            discovery=opening.discovery(settings),
        )
        return InProcess(settings, outside, self._public)

    async def _probe(self, service: Service) -> ServiceReadiness:
        try:
            return await ask(service, await self._serving.discovered.look_up(service))
        except SettingsInvalid as exc:
            return ServiceReadiness(service, f"{service.name} cannot be looked up: {exc}", reachable=False)

    async def serve(self) -> None:
        """Until it is stopped."""
        self._serving.prepare()
        if self._joined is not None:
            await self._joined.open()
        table = await self._migration.start()
        self._examples.keep(table)
        await self._serving.begin(table)
        async with asyncio.TaskGroup() as tasks:
            helpers = await self._report(tasks)
            await self._serving.serve(tasks)
            server = admin_server(self._settings, admin_app(self._admin_parts(), self._migration))
            tasks.create_task(server.serve([self._admin]))
            await server.up.wait()
            signals = StopSignals()
            helpers.append(tasks.create_task(Reloader(self._settings.routes, self._migration.reload).run()))
            await asyncio.sleep(0)
            # What start-up made stays for good: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            self._is_ready = True
            where = address(self._public[0], self._settings.host, secure=self._settings.tls_cert is not None)
            print(f"listening on {where} (admin {server.url(self._settings.admin_host)})", flush=True)
            await self._stopping(signals)
            server.should_exit = True
            for helper in helpers:
                helper.cancel()

    async def _report(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """The other gateways, if there are any, wait for this one from now on."""
        if self._joined is None:
            return []
        admin = address(self._admin, self._settings.admin_host, secure=False)
        await self._joined.begin(self._settings.advertise or admin)
        return [tasks.create_task(self._joined.members.run())]

    def _admin_parts(self) -> AdminParts:
        return AdminParts(
            settings=self._settings,
            stats=self._stats,
            keys=self._signer,
            examples=self._examples,
            recorder=self._serving.recorder,
            is_ready=lambda: self._is_ready,
            limits=lambda: self._serving.limits,
            bulkheads=lambda: self._serving.bulkheads,
            turns=lambda: self._serving.turns,
            instances=lambda: self._serving.instances,
            discovered=self._serving.discovered,
            tokens=self._signer,
            joined=self._joined,
            counts=self._joined.counts if self._joined is not None else None,
        )

    async def _stopping(self, signals: StopSignals) -> None:
        await signals.wait(1)
        self._is_ready = False
        log.info("stopping: not ready any more, then no new connection, then the end of what is under way")
        await self._serving.leave(self._settings.grace_s, signals.wait(2))
        await self._serving.stop(self._settings.drain_s, signals.wait(2))

    async def aclose(self) -> None:
        """Ends what serves, then writes down what it counted."""
        await self._serving.aclose()
        await self._migration.aclose()
        if self._joined is not None:
            await self._joined.end(counted=self._migration.problem is None)
        await self._publishing.aclose()


def _public_listeners(settings: Settings) -> list[socket.socket]:
    if settings.workers == 1:
        return [listen(settings.host, settings.port)]
    return listen_together(settings.host, settings.port, settings.workers)
