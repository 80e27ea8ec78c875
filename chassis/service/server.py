"""Runs the web application of a service with uvicorn, until a signal ends it."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from time import monotonic

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.settings import SettingsInvalid
from chassis.tracing import spans

log = structlog.get_logger("chassis.service.server")

KEEP_ALIVE_S = 120
"""Longer than the gateway keeps an idle connection. Otherwise the gateway could write into a closing one."""
_IDLE_S = 1.2
"""At the end: the gateway sends no write on a connection that nobody has used for a second."""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    service: str,
    grace_s: int = 20,
    on_stop: Callable[[], None] = lambda: None,
) -> int:
    """Serves until SIGTERM or SIGINT, then finishes open requests for at most `grace_s`. Port 0 means any free port.

    `on_stop` is called on the loop when the stop begins, while requests are still open.
    `service`: its name in traces. Prints `listening on http://HOST:PORT` when it listens. Returns the exit code: 1 if
    it cannot listen or start, 2 if OTEL_* variables are wrong.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        log.error("cannot_listen", host=host, port=port, reason=str(error))
        return 1
    config = uvicorn.Config(
        app,
        http=_Protocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises the signal again when it has finished
    server = _ServiceServer(config, on_stop)
    try:
        with listener, spans.installed(service):
            server.run(sockets=[listener])
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if server.started else 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


class _Protocol(HttpToolsProtocol):
    """Passes to the application the request target as sent (ASGI drops a question mark at its end), and is_gone."""

    used_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        self.used_at = monotonic()
        super().connection_made(transport)

    def on_response_complete(self) -> None:
        self.used_at = monotonic()
        super().on_response_complete()

    def on_headers_complete(self) -> None:
        self.used_at = monotonic()
        self.scope["state"]["target"] = self.url
        self.scope["state"]["is_gone"] = self.transport.is_closing
        super().on_headers_complete()


class _ServiceServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await self._leave(sockets or [])
        await super().shutdown(sockets)

    async def _leave(self, sockets: list[socket.socket]) -> None:
        """Takes no connection more; each answer says that its connection ends; idle ones end when nobody uses them.

        A write that is sent on a connection at the moment when it is closed would be lost.
        """
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        state, until = self.server_state, monotonic() + 2 * _IDLE_S
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        while state.connections and monotonic() < until and not self.force_exit:
            for connection in list(state.connections):
                if isinstance(connection, _Protocol) and monotonic() - connection.used_at > _IDLE_S:
                    connection.shutdown()
            await asyncio.sleep(0.02)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # objects of start-up live for ever: the collector can skip them
        for listener in (sockets or []) if self.started else []:
            host, port = listener.getsockname()[:2]
            print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
