"""uvicorn, as two servers in one process: the public port with our protocol class, the admin port with Starlette."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import uvicorn
from starlette.applications import Starlette

from strangler_gateway.server.connection import ClientConnection
from strangler_gateway.server.front import Front
from strangler_gateway.server.listener import BACKLOG
from strangler_gateway.settings import Settings


class Server(uvicorn.Server):
    """uvicorn's server without its signal handling: two of them share one process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.on_accepted: Callable[[], None] = lambda: None
        """Called for each connection that it accepts by itself."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Sets `up` once it listens."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the composition root's."""
        yield

    def url(self, host: str) -> str:
        """Where it listens."""
        return address(self.servers[0].sockets[0], host, secure=bool(self.config.ssl))

    @property
    def clients(self) -> set[ClientConnection]:
        """The open connections of the public port."""
        return self.server_state.connections  # type: ignore[return-value]  # our own protocol class makes them


def address(listener: socket.socket, host: str, *, secure: bool) -> str:
    """Where a socket listens, as a URL of this host."""
    port = listener.getsockname()[1]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def public_server(front: Front) -> Server:
    """Every request is answered by our own protocol class; uvicorn's application is never called."""
    settings = front.settings

    def made(**given: Any) -> ClientConnection:
        server.on_accepted()
        return ClientConnection(front, **given)

    server = Server(
        uvicorn.Config(
            Starlette(),
            host=settings.host,
            port=settings.port,
            http=made,  # type: ignore[arg-type]  # what a protocol class is called with
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            backlog=BACKLOG,
            ssl_certfile=str(settings.tls_cert) if settings.tls_cert else None,
            ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
        )
    )
    return server


def protocol_of(server: Server, front: Front) -> ClientConnection:
    """For a connection that was accepted elsewhere."""
    return ClientConnection(front, server.config, server.server_state, {})


def admin_server(settings: Settings, app: Starlette) -> Server:
    """The admin port."""
    config = uvicorn.Config(
        app,
        host=settings.admin_host,
        port=settings.admin_port,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=ceil(settings.keep_alive_s),  # longer than clients keep an idle connection
        timeout_graceful_shutdown=1,
    )
    return Server(config)
