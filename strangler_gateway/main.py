"""Composition root of the gateway process: builds everything, serves two ports, ends gracefully."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn

from chassis.messaging.open import open_broker
from chassis.service.logs import configure
from chassis.settings import SettingsInvalid, revealed
from strangler_gateway.admin.app import admin_app
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.identity.signer import Signer, SigningKeyInvalid, ephemeral_signer, open_signer
from strangler_gateway.migration.file_watch import Reloader
from strangler_gateway.migration.migration import Migration
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.server.application import application
from strangler_gateway.server.certificate import Certificate
from strangler_gateway.server.connection import ClientConnection
from strangler_gateway.server.listener import BACKLOG, listen
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.shadow import Shadow
from strangler_gateway.steps.pipeline import Gateway
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)

_SWEEP_S = 0.25
_CERTIFICATE_S = 5.0
_BROKER_USER = "gateway"


class Server(uvicorn.Server):
    """uvicorn's server without its signal handling: two of them share one process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Sets `up` once it listens."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the composition root's."""
        yield


def serve(settings: Settings) -> int:
    """Runs the gateway until SIGTERM or SIGINT; gives the exit status."""
    configure("strangler")
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(_serve(settings))
    except RoutesInvalid as exc:
        print(f"{settings.routes} is not served. {exc}", file=sys.stderr)
    except (SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError) as exc:
        print(f"strangler cannot start: {exc}", file=sys.stderr)
    return 1


async def _serve(settings: Settings) -> int:
    # Until the reloader takes it over, a hang-up must not end the process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    stats = Stats()
    shadow = Shadow()
    holder: list[Gateway] = []
    publishing = _publishing(settings)
    migration = Migration(
        settings.routes,
        settings.state,
        stats=stats,
        adopt=lambda table: holder[0].adopt(table),
        broker=publishing.probe,
        examples=shadow.examples,
    )
    table = await migration.start()
    with _log_output(settings) as out:
        gateway = Gateway(settings, table, _signer(settings), AccessLog(out), shadow, stats, publishing)
        holder.append(gateway)
        try:
            return await _serve_gateway(gateway, migration)
        finally:
            await shadow.aclose()
            await gateway.aclose()
            await migration.aclose()


@contextlib.contextmanager
def _log_output(settings: Settings) -> Iterator[Any]:
    if settings.log_file is None:
        yield sys.stderr.buffer
        return
    with settings.log_file.open("ab", buffering=0) as out:
        yield out


def _signer(settings: Settings) -> Signer:
    """The signing key from the settings or the state directory; one for this process where nothing can be kept."""
    secret = revealed(settings.signing_key)
    try:
        return open_signer(secret, settings.state)
    except OSError as exc:
        log.warning("the signing key cannot be kept, one for this process alone is used: %s", exc)
        return ephemeral_signer()


def _publishing(settings: Settings) -> Publishing:
    """The broker may be away, or none set. Raises SettingsInvalid."""
    url = settings.broker_url.get_secret_value() if settings.broker_url else ""
    try:
        return Publishing(open_broker(url, _BROKER_USER) if url else None, max_waiting=settings.max_waiting)
    except ValueError as exc:
        raise SettingsInvalid(str(exc)) from None  # the cause would show the URL


async def _serve_gateway(gateway: Gateway, migration: Migration) -> int:
    settings = gateway.settings
    public, admin = _public(gateway), _admin(gateway, migration)
    reloader = Reloader(settings.routes, migration.reload)
    stop = _Stop()
    sockets = [listen(server.config.host, server.config.port) for server in (public, admin)]
    async with asyncio.TaskGroup() as tasks:
        for server, bound in zip((public, admin), sockets, strict=True):
            tasks.create_task(server.serve([bound]))
        await asyncio.gather(public.up.wait(), admin.up.wait())
        helpers = [tasks.create_task(reloader.run()), tasks.create_task(_sweep(gateway, public))]
        await asyncio.sleep(0)
        # What start-up made stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gateway.ready = True
        print(f"listening on {_url(public, settings.host)} (admin {_url(admin, settings.admin_host)})", flush=True)
        await stop.wait(1)
        gateway.ready = False
        log.info("stopping: not ready any more, then no new connection, then the end of what is under way")
        await _within(stop.wait(2), settings.grace_s)
        public.should_exit = True
        await _drain(gateway, public, stop)
        admin.should_exit = True
        for helper in helpers:
            helper.cancel()
    return 0


class _Stop:
    """SIGTERM and SIGINT, counted: the first ends gracefully, the second at once."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._signal)

    def _signal(self) -> None:
        self._count += 1
        self._changed.set()

    async def wait(self, count: int) -> None:
        """Returns once there were that many signals."""
        while self._count < count:
            self._changed.clear()
            await self._changed.wait()


async def _within(waiting: Any, seconds: float) -> bool:
    """Waits at most so long; true if it came about."""
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return False
    return True


async def _drain(gateway: Gateway, public: Server, stop: _Stop) -> None:
    """Finishes requests; at the deadline, or at a second signal, what is left is ended: WebSockets with 1001."""
    connections: set[ClientConnection] = public.server_state.connections  # type: ignore[assignment]
    ended = asyncio.create_task(_until_empty(connections))
    second = asyncio.create_task(stop.wait(2))
    await asyncio.wait((ended, second), timeout=gateway.settings.drain_s, return_when=asyncio.FIRST_COMPLETED)
    for connection in list(connections):
        connection.close_tunnel(1001)
    await _within(ended, 1.0 if not second.done() else 0.1)
    for connection in list(connections):
        connection.transport.abort()
    public.force_exit = True
    second.cancel()


async def _until_empty(connections: set[ClientConnection]) -> None:
    while connections:  # noqa: ASYNC110  # uvicorn's own plain set: nothing tells of its changes
        await asyncio.sleep(0.02)


async def _sweep(gateway: Gateway, public: Server) -> None:
    """The one timer: time-outs of all connections and calls, the log, the certificate."""
    certificate = _certificate(gateway.settings, public)
    next_certificate = 0.0
    while True:
        await asyncio.sleep(_SWEEP_S)
        now = gateway.now()
        gateway.upstreams.sweep()
        for connection in list(public.server_state.connections):
            connection.sweep(now)  # type: ignore[union-attr]
        gateway.log.flush()
        if certificate is not None and now >= next_certificate:
            next_certificate = now + _CERTIFICATE_S
            certificate.refresh()


def _certificate(settings: Settings, public: Server) -> Certificate | None:
    if settings.tls_cert is None or public.config.ssl is None:
        return None
    return Certificate(public.config.ssl, settings.tls_cert, settings.tls_key)


def _public(gateway: Gateway) -> Server:
    settings = gateway.settings
    return Server(
        uvicorn.Config(
            application(gateway),
            host=settings.host,
            port=settings.port,
            http=partial(ClientConnection, gateway),  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            backlog=BACKLOG,
            ssl_certfile=str(settings.tls_cert) if settings.tls_cert else None,
            ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
        )
    )


def _admin(gateway: Gateway, migration: Migration) -> Server:
    settings = gateway.settings
    config = uvicorn.Config(
        admin_app(gateway, migration),
        host=settings.admin_host,
        port=settings.admin_port,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return Server(config)


def _url(server: Server, host: str) -> str:
    port = server.servers[0].sockets[0].getsockname()[1]
    scheme = "https" if server.config.ssl else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
