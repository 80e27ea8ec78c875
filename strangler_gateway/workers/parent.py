"""The parent of several workers: the state directory, the migration, the admin port, and no client."""

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import socket

from strangler_gateway import opening
from strangler_gateway.admin.app import AdminParts, admin_app
from strangler_gateway.identity.authority import Authority
from strangler_gateway.migration.file_watch import Reloader
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.saved_file import differences_file
from strangler_gateway.server.listener import listen, listen_together
from strangler_gateway.server.shutdown import StopSignals, within
from strangler_gateway.server.uvicorn_server import address, admin_server
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.turns.needed import expect_shared
from strangler_gateway.workers.workers import Shared, Workers

log = logging.getLogger(__name__)


async def run_parent(settings: Settings) -> int:
    """Runs the gateway on the loop of the main thread until SIGTERM or SIGINT; gives the exit status.

    Raises RoutesInvalid, SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError before it serves.
    """
    # Until the reloader takes it over, a hang-up must not end the process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    with contextlib.ExitStack() as sockets:
        public = [sockets.enter_context(one) for one in listen_together(settings.host, settings.port, settings.workers)]
        admin = sockets.enter_context(listen(settings.admin_host, settings.admin_port))
        return await _run(settings, public, admin)


async def _run(settings: Settings, public: list[socket.socket], admin: socket.socket) -> int:
    stats, examples, publishing = Stats(), Examples(), opening.publishing(settings)
    signer = opening.signer(settings)
    authority = Authority((), signer, LogThrottle())
    """Looks whether the providers of a table can be opened, before a worker is told; it serves nobody."""
    workers = Workers(Shared(settings, signer.pem(), secrets.token_hex(4)), [[one] for one in public], stats, examples)

    def adopt(table: RouteTable) -> None:
        expect_shared(settings, table)
        authority.adopt(table.identity)
        workers.adopt(table)

    migration = Migration(
        settings.routes,
        settings.state,
        stats=stats,
        adopt=adopt,
        broker=publishing.probe,
        examples=examples.of,
        saved=(differences_file(settings.state, examples.snapshot, examples.restore),),
        acknowledged=workers.acknowledged,
        refresh=workers.refresh,
    )
    ready = asyncio.Event()
    parts = AdminParts(
        settings=settings,
        stats=stats,
        keys=signer,
        examples=examples,
        recorder=workers.recorder,
        is_ready=ready.is_set,
        limits=lambda: workers.limits,
    )
    try:
        workers.spawn()
        table = await migration.start()
        expect_shared(settings, table)
        authority.adopt(table.identity)
        await workers.begin(table)
        await _serve(settings, parts, migration, workers, ready, public[0], admin)
    finally:
        await workers.aclose()
        await migration.aclose()
        await authority.aclose()
        await publishing.aclose()
    return 0


async def _serve(
    settings: Settings,
    parts: AdminParts,
    migration: Migration,
    workers: Workers,
    ready: asyncio.Event,
    public: socket.socket,
    admin: socket.socket,
) -> None:
    server, reloader = admin_server(settings, admin_app(parts, migration)), Reloader(settings.routes, migration.reload)
    signals = StopSignals()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([admin]))
        await server.up.wait()
        reloading = tasks.create_task(reloader.run())
        await asyncio.sleep(0)
        # What start-up made stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready.set()
        where = address(public, settings.host, secure=settings.tls_cert is not None)
        print(f"listening on {where} (admin {server.url(settings.admin_host)})", flush=True)
        await _stopping(settings, workers, ready, signals)
        server.should_exit = True
        reloading.cancel()


async def _stopping(settings: Settings, workers: Workers, ready: asyncio.Event, signals: StopSignals) -> None:
    await signals.wait(1)
    ready.clear()
    log.info("stopping: not ready any more, then no new connection, then the end of what is under way")
    workers.leave(settings.grace_s)
    await within(signals.wait(2), settings.grace_s)
    ending = asyncio.create_task(workers.stop(settings.drain_s))
    second = asyncio.create_task(signals.wait(2))
    await asyncio.wait((ending, second), return_when=asyncio.FIRST_COMPLETED)
    if not ending.done():
        workers.hurry()
    second.cancel()
    await ending
