"""Mail in, by SMTP: a mail server for the monolith, which knows no other way to ask for a mail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog

from extracted.mailer.addresses import canonical
from extracted.mailer.ports import RequestInvalid
from extracted.mailer.smtp_in.connection import House
from extracted.mailer.smtp_in.data import Room
from extracted.mailer.smtp_in.intake import Taking
from extracted.mailer.smtp_in.session import Conversation
from extracted.mailer.smtp_in.values import Listening, Store

log = structlog.get_logger("mailer.ingress")


def _now() -> datetime:
    return datetime.now(UTC)


class Ingress:
    """Listens in the event loop that runs it, also while the store is away. `port`: where it listens."""

    def __init__(self, listening: Listening, store: Store, clock: Callable[[], datetime] = _now) -> None:
        self.port = listening.port
        self._listening = listening
        taking = Taking(store, clock, listening.limits)
        self._house = House(listening, taking.take, _address, Room(listening.limits.buffered))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends in order: nobody new, no new message, those under way are finished. Raises OSError."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it has commands and addresses in it
        server = await asyncio.get_running_loop().create_server(
            lambda: Conversation(self._house), self._listening.host, self._listening.port
        )
        self.port = server.sockets[0].getsockname()[1]
        log.info("ingress_listens", host=self._listening.host, port=self.port)
        try:
            yield
        finally:
            server.close()
            await self._empty()

    async def _empty(self) -> None:
        sessions = tuple(self._house.open)
        for session in sessions:
            session.leave("421 4.3.2 The server is going down; try again later")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._listening.limits.grace_s):
                await asyncio.gather(*(session.ended() for session in sessions))
        for session in tuple(self._house.open):
            session.abort()
        await asyncio.sleep(0)  # in which the loop closes their sockets


def _address(text: str) -> str | None:
    """Its canonical form; None: it is none."""
    try:
        return canonical(text)
    except RequestInvalid:
        return None
