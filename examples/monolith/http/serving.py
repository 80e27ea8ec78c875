"""Serves an application on a port until a signal ends the process."""

import signal
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE_S = 5
GRACE_S = 10


class AnnouncingServer(uvicorn.Server):
    """Prints the address once it accepts connections: only then the number for port 0 is known."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


class RawTargetProtocol(HttpToolsProtocol):
    """Gives the application the request target as sent: ASGI drops a question mark without a query."""

    def on_headers_complete(self) -> None:
        self.scope["state"]["target"] = self.url
        super().on_headers_complete()


def exit_zero_on_signals() -> None:
    """Exits with 0 on a signal: uvicorn raises the signal again after all requests are finished."""
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit(0))


async def listen(app: ASGIApp, host: str, port: int) -> None:
    """Serves until a signal; port 0 takes a free port."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=RawTargetProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    await AnnouncingServer(config).serve()
