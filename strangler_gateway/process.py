"""Composition root of the gateway process: builds everything, serves two ports, ends gracefully."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.settings import SettingsInvalid, revealed
from strangler_gateway import collector, opening
from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.auth import access, weaknesses
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.admin.parts import AdminParts
from strangler_gateway.control import Control
from strangler_gateway.gateway import Outside
from strangler_gateway.handover.leaving import Leaving
from strangler_gateway.handover.listeners import admin_listener, public_listeners
from strangler_gateway.handover.predecessor import Predecessor
from strangler_gateway.handover.successor import Successor, Successors
from strangler_gateway.joined import Joined, Reporting, joined, member_name
from strangler_gateway.migration.around import OwnProcesses
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.routes_file.watch import Reloader
from strangler_gateway.migration.rules.readiness import ServiceReadiness, ask
from strangler_gateway.migration.saved.saved_file import differences_file
from strangler_gateway.overview.history import History, history_file
from strangler_gateway.page.app import OperatorsPage
from strangler_gateway.plans.clocks import SystemClock
from strangler_gateway.plans.driving import driving, progress_file
from strangler_gateway.plans.progress import ProgressBook
from strangler_gateway.server.shutdown import StopSignals
from strangler_gateway.server.uvicorn_server import address
from strangler_gateway.serving import InProcess, Serving
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.routes import RouteTable, Service
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.channel import Channel
from strangler_gateway.workers.workers import Shared, Workers

log = logging.getLogger(__name__)


class GatewayProcess:
    """What one gateway is made of. `open_files` closes its sockets and its log; `before`: whom it takes over from."""

    def __init__(self, settings: Settings, open_files: contextlib.ExitStack, before: Predecessor | None) -> None:
        self._settings, self._before = settings, before
        access(settings)  # its faults are told before anything begins
        self._examples, self._publishing = Examples(), opening.publishing(settings)
        self._stats = Stats(hashed=opening.hashed_users(settings))
        self._public = [open_files.enter_context(one) for one in public_listeners(settings, before)]
        self._admin = open_files.enter_context(admin_listener(settings, before))
        self._signer = opening.signer(settings)
        self._serving = self._serving_of(open_files.enter_context(opening.log_output(settings)))
        for sentence in weaknesses(settings):
            log.warning("%s", sentence)
        self._joined = joined(
            settings,
            self._signer,
            self._stats,
            lambda units: self._migration.row(units),
            lambda forget: self._migration.failures.tell(forget),
        )
        self._reporting = Reporting(self._joined, lambda: self._advertised)
        self._is_ready = self._handed_over = False
        book, self._history = ProgressBook(), History()
        self._migration = Migration(
            settings.routes,
            settings.state,
            stats=self._stats,
            adopt=self._adopt,
            broker=self._publishing.probe,
            examples=self._examples.of,
            probe=self._probe,
            saved=(
                differences_file(settings.state, self._examples.snapshot, self._examples.restore),
                progress_file(settings.state, book),
                history_file(settings.state, self._history, time.time),
            ),
            file_moves=settings.file_moves,
            processes=OwnProcesses(self._acknowledged, self._refresh, lambda routes: self._serving.count_again(routes)),
            shared=self._joined.control if self._joined else None,
        )
        secret, name = revealed(settings.notify_secret), member_name(settings)
        self._driving = driving(self._migration, book, SystemClock(), secret, name)

    def _serving_of(self, out: Any) -> Serving:
        settings = self._settings
        if settings.workers > 1:
            shared = Shared(settings, self._signer, secrets.token_hex(4))
            by_worker = [self._public[number :: settings.workers] for number in range(settings.workers)]
            return Workers(shared, by_worker, self._stats, self._examples)
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

    def _adopt(self, table: RouteTable) -> None:
        self._serving.adopt(table)
        if self._before is not None:
            self._before.adopt(table, self._stats)

    async def _acknowledged(self) -> tuple[str, ...]:
        late = await self._serving.acknowledged()
        return late + (await self._before.acknowledged() if self._before is not None else ())

    async def _refresh(self) -> None:
        await self._serving.refresh()
        if self._before is not None:
            await self._before.refresh()

    async def serve(self) -> None:
        """Until it is stopped, or another process has taken over."""
        self._serving.prepare()
        guards = await self._take_over()
        if self._joined is not None:
            await self._join(self._joined)
        table = await self._migration.start()
        self._examples.keep(table)
        await self._serving.begin(table)
        async with asyncio.TaskGroup() as tasks:
            await self._reporting.begin(tasks)
            await self._serving.serve(tasks)
            signals, control = StopSignals(), self._control(tasks)
            await control.begin()
            await asyncio.sleep(0)
            collector.settle()
            self._is_ready = True
            if self._before is not None:
                self._before.serving(self._stats, self._examples)
                self._before.adopt(self._migration.served, self._stats)
            await self._migration.guards.take(guards)
            where = address(self._public[0], self._settings.host, secure=self._settings.tls_cert is not None)
            admin = address(self._admin, self._settings.admin_host, secure=False)
            print(f"listening on {where} (admin {admin})", flush=True)
            await self._until_over(control, signals)
            self._reporting.end()

    @property
    def _advertised(self) -> str:
        return self._settings.advertise or address(self._admin, self._settings.admin_host, secure=False)

    async def _join(self, joined: Joined) -> None:
        """What the last process knew. Raises SettingsInvalid if another gateway runs under the same name."""
        await joined.open()
        if self._before is None and (taken := await joined.taken(self._advertised)):
            raise SettingsInvalid(taken)

    async def _take_over(self) -> Sequence[Mapping[str, Any]]:
        """From the process that runs, if there is one; gives its guards. A bad file leaves it in charge."""
        if self._before is None:
            return ()
        await self._migration.check()
        return await self._before.take()

    def _control(self, tasks: asyncio.TaskGroup) -> Control:
        desk = AdminDesk(self._admin_parts(), self._migration)
        page = OperatorsPage(desk)
        app = admin_app(desk, page.routes)
        reloader = Reloader(self._settings.routes, self._migration.reload)
        driver = self._driving.driver
        return Control(self._settings, app, self._admin, reloader, driver, tasks, page.run)

    async def _until_over(self, control: Control, signals: StopSignals) -> None:
        handed_over, leaving = False, self._leaving()
        successors = Successors(self._settings.state, self._public, self._admin) if self._settings.reuse_port else None
        try:
            while not handed_over:
                channel = await _next(signals, successors)
                if channel is None:
                    await self._stop(signals)
                    await control.end()
                    return
                handed_over = await leaving.to(Successor(channel), control, signals)
        finally:
            if successors is not None:
                successors.close(handed_over=handed_over)

    def _leaving(self) -> Leaving:
        counters = (self._stats, self._examples, self._joined)
        return Leaving(self._settings, self._serving, self._migration, *counters, self._reporting, self._is_succeeded)

    def _is_succeeded(self) -> None:
        self._is_ready, self._handed_over = False, True

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
            plans=self._driving.plans,
            history=self._history,
            name=member_name(self._settings),
        )

    async def _stop(self, signals: StopSignals) -> None:
        self._is_ready = False
        log.info("stopping: not ready any more, then no new connection, then the end of what is under way")
        await self._serving.leave(self._settings.grace_s, signals.wait(2))
        await self._serving.stop(self._settings.drain_s, signals.wait(2))

    async def aclose(self) -> None:
        """Ends what serves, then writes down what it counted."""
        await self._serving.aclose()
        await self._driving.notifier.aclose()
        await self._migration.aclose()
        if self._joined is not None and self._handed_over:
            await self._joined.aclose()
        elif self._joined is not None:
            await self._joined.end(counted=self._migration.problem is None)
        await self._publishing.aclose()


async def _next(signals: StopSignals, successors: Successors | None) -> Channel | None:
    """The process that wants to take over; None: this one is to stop."""
    stopping = asyncio.ensure_future(signals.wait(1))
    waiting = {stopping} if successors is None else {stopping, asking := asyncio.ensure_future(successors.next())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        for one in waiting:
            one.cancel()
        return None
    stopping.cancel()
    return asking.result()
