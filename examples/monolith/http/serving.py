"""An application on a port, until a signal ends it."""

import signal
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE_S = 5
GRACE_S = 10


class AnnouncingServer(uvicorn.Server):
    """Prints the address once it accepts connections; port 0 is known only then."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


class KeepingTarget(HttpToolsProtocol):
    """Tells the application the request target as it came: ASGI drops a question mark with nothing behind it."""

    def on_headers_complete(self) -> None:
        self.scope["state"]["target"] = self.url
        super().on_headers_complete()


def end_well_on_signals() -> None:
    """uvicorn raises the signal that it caught again, once all is finished."""
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit(0))


async def listen(app: ASGIApp, host: str, port: int) -> None:
    """Port 0: a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=KeepingTarget,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    await AnnouncingServer(config).serve()
