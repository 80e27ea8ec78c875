"""Mail in by SMTP: a mail server for the monolith, which has no other way to ask for a mail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from extracted.mailer.smtp_in.connection import GuardedConnection
from extracted.mailer.smtp_in.endpoint import IngressEndpoint
from extracted.mailer.smtp_in.incoming_message import BufferBudget
from extracted.mailer.smtp_in.session import IngressSession
from extracted.mailer.smtp_in.submission import RawMailStore, SubmissionHandler

log = structlog.get_logger("mailer.ingress")


class IngressServer:
    """Listens in the event loop that runs it, also while the store is away. `port`: where it listens."""

    def __init__(self, endpoint: IngressEndpoint, store: RawMailStore, clock: Callable[[], datetime]) -> None:
        self.port = endpoint.port
        self.connections: set[GuardedConnection] = set()
        self.budget = BufferBudget(endpoint.limits.buffered)
        self._endpoint = endpoint
        self._submissions = SubmissionHandler(store, clock, endpoint.limits)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At its end nobody new gets in, no new message begins, those under way are finished. Raises OSError."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it holds commands and addresses
        server = await asyncio.get_running_loop().create_server(self._session, self._endpoint.host, self._endpoint.port)
        self.port = server.sockets[0].getsockname()[1]
        log.info("ingress_listens", host=self._endpoint.host, port=self.port)
        if self._endpoint.is_open_relay:
            log.warning("ingress_without_login", advice="set MAILER_INGRESS_USER, or let the monolith alone reach it")
        try:
            yield
        finally:
            server.close()
            await self._finish()

    def _session(self) -> IngressSession:
        return IngressSession(self._endpoint, self._submissions.reply, self.budget, self.connections)

    async def _finish(self) -> None:
        connections = tuple(self.connections)
        for connection in connections:
            connection.leave("421 4.3.2 The server is going down; try again later")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._endpoint.limits.grace_s):
                await asyncio.gather(*(connection.over.wait() for connection in connections))
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # the loop closes their sockets
