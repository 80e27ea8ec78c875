"""Composition root of the gateway process: builds everything, serves two ports, ends gracefully."""

import asyncio
import gc
import logging
import signal
import sys

import uvicorn

from chassis.service.logs import configure
from chassis.settings import SettingsInvalid
from strangler_gateway import opening
from strangler_gateway.admin.app import AdminParts, admin_app
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.identity.signer import SigningKeyInvalid
from strangler_gateway.migration.file_watch import Reloader
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.saved_file import differences_file
from strangler_gateway.server.listener import listen
from strangler_gateway.server.shutdown import StopSignals, drain, leave
from strangler_gateway.server.sweeper import sweep_for_ever
from strangler_gateway.server.uvicorn_server import Server, admin_server, public_server
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.parent import run_parent

log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Runs the gateway until SIGTERM or SIGINT; gives the exit status."""
    configure("strangler")
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(run_parent(settings) if settings.workers > 1 else run(settings))
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
    stats, examples, publishing = Stats(), Examples(), opening.publishing(settings)
    shared_counters = opening.shared_counters(settings)
    built: list[Gateway] = []
    migration = Migration(
        settings.routes,
        settings.state,
        stats=stats,
        adopt=lambda table: built[0].adopt(table),
        broker=publishing.probe,
        examples=examples.of,
        saved=(differences_file(settings.state, examples.snapshot, examples.restore),),
    )
    table = await migration.start()
    examples.keep(table)
    with opening.log_output(settings) as out:
        lines = AccessLog(out, settings.log_fields.split(","))
        outside = Outside(
            lines,
            opening.signer(settings),
            stats,
            examples,
            publishing,
            shared_counters=shared_counters,
            traces=opening.traces(),
        )
        gateway = Gateway(settings, table, outside)
        built.append(gateway)
        try:
            await gateway.limiter.start()
            return await _serve_ports(gateway, migration)
        finally:
            await gateway.aclose()
            await migration.aclose()


async def _serve_ports(gateway: Gateway, migration: Migration) -> int:
    settings = gateway.settings
    public, admin = public_server(gateway.front), admin_server(settings, admin_app(_admin_parts(gateway), migration))
    reloader, signals = Reloader(settings.routes, migration.reload), StopSignals()
    sockets = [listen(server.config.host, server.config.port) for server in (public, admin)]
    sweep = sweep_for_ever(public, settings, gateway.front.now, gateway.upstreams.sweep, gateway.outside.log.flush)
    async with asyncio.TaskGroup() as tasks:
        for server, bound in zip((public, admin), sockets, strict=True):
            tasks.create_task(server.serve([bound]))
        await asyncio.gather(public.up.wait(), admin.up.wait())
        helpers = [tasks.create_task(reloader.run()), tasks.create_task(sweep)]
        await asyncio.sleep(0)
        # What start-up made stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gateway.ready = True
        print(f"listening on {public.url(settings.host)} (admin {admin.url(settings.admin_host)})", flush=True)
        await _stopping(gateway, public, signals)
        admin.should_exit = True
        for helper in helpers:
            helper.cancel()
    return 0


def _admin_parts(gateway: Gateway) -> AdminParts:
    outside = gateway.outside
    return AdminParts(
        settings=gateway.settings,
        stats=outside.stats,
        keys=outside.signer,
        examples=outside.examples,
        recorder=gateway.recorder,
        is_ready=lambda: gateway.ready,
        limits=lambda: gateway.limiter.status,
        turns=lambda: None if gateway.turns is None else gateway.turns.problem,
    )


async def _stopping(gateway: Gateway, public: Server, signals: StopSignals) -> None:
    await signals.wait(1)
    gateway.ready = False
    log.info("stopping: not ready any more, then no new connection, then the end of what is under way")
    await leave(public, signals.wait(2), gateway.settings.grace_s)
    await drain(public, signals.wait(2), gateway.settings.drain_s)
