"""Implements Transport by SMTP: keeps connections for the next mail."""

import asyncio
import ssl
from typing import Final

from extracted.mailer.delivery.provider import SMTP_TIMEOUTS, NotHandedOver, Provider, SmtpTimeouts, TlsMode
from extracted.mailer.domain import DeliveryOutcome, OutgoingMessage, Unreachable
from extracted.mailer.smtp_out.handshake import ProviderUnavailable, connect
from extracted.mailer.smtp_out.provider_connection import ProviderConnection
from extracted.mailer.smtp_out.text import unsendable

_NEVER: Final = Unreachable("the connection was closed again before it took anything")


class SmtpTransport:
    """One per provider and process; opens as many connections as there are mails at once, and closes idle ones.

    Raises OSError for a `ca_file` that cannot be used.
    """

    def __init__(self, provider: Provider, timeouts: SmtpTimeouts = SMTP_TIMEOUTS) -> None:
        self._provider = provider
        self._timeouts = timeouts
        is_plain = provider.tls is TlsMode.NONE
        self._context = None if is_plain else ssl.create_default_context(cafile=provider.ca_file)
        self._idle: list[ProviderConnection] = []
        self._is_closed = False
        self._pruning: asyncio.TimerHandle | None = None
        self._quitting: set[asyncio.Task[None]] = set()

    async def send(self, outgoing: OutgoingMessage) -> DeliveryOutcome:
        """Replaces, once, a kept connection that the server has closed before it took anything."""
        refused = unsendable(outgoing)
        if refused is not None:
            return refused
        kept = self._taken()
        outcome = None if kept is None else await self._over(kept, outgoing)
        return outcome or await self._anew(outgoing)

    async def aclose(self) -> None:
        """Quits idle connections. Those in use are closed after their mail."""
        self._is_closed = True
        if self._pruning is not None:
            self._pruning.cancel()
        idle, self._idle = self._idle, []
        await asyncio.gather(*self._quitting, *(connection.quit() for connection in idle))

    async def _anew(self, outgoing: OutgoingMessage) -> DeliveryOutcome:
        try:
            client = await connect(self._provider, self._timeouts, self._context)
        except ProviderUnavailable as away:
            return Unreachable(str(away))
        except asyncio.CancelledError as cancelled:
            raise NotHandedOver from cancelled
        return await self._over(ProviderConnection(client, self._timeouts), outgoing) or _NEVER

    async def _over(self, connection: ProviderConnection, outgoing: OutgoingMessage) -> DeliveryOutcome | None:
        outcome = await connection.send(outgoing)
        if connection.is_usable:
            self._keep(connection)
        return outcome

    def _taken(self) -> ProviderConnection | None:
        """The connection that was used last, so that the others grow old and are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    def _keep(self, connection: ProviderConnection) -> None:
        if self._is_closed:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        self._prune_later()

    def _prune_later(self) -> None:
        """The first connection has been idle longest."""
        if self._pruning is None and self._idle:
            at = self._idle[0].idle_since + self._timeouts.idle_s
            self._pruning = asyncio.get_running_loop().call_at(at, self._prune)

    def _prune(self) -> None:
        self._pruning = None
        before = asyncio.get_running_loop().time() - self._timeouts.idle_s
        while self._idle and self._idle[0].idle_since <= before:
            task = asyncio.create_task(self._idle.pop(0).quit(), name="smtp quit")
            self._quitting.add(task)
            task.add_done_callback(self._quitting.discard)
        self._prune_later()
