"""Puts requests for mail into the outbox, in the transaction of the change that the mail is about."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.messaging.envelope import Envelope, new_id
from chassis.outbox.outbox import Outbox
from extracted.account.mail_requests.domain import MailRequest

EXCHANGE: Final = "mails"
REQUESTED: Final = "mail.requested.v1"


@dataclass(frozen=True, slots=True)
class MailRequestOutbox:
    """Implements the adapter's port MailRequests, so that the adapter knows no outbox."""

    outbox: Outbox
    clock: Callable[[], datetime]

    async def put(self, connection: AsyncConnection, mail: MailRequest) -> None:
        """The request is sent once, after the commit; without a commit it is never sent."""
        bound = {name: _bound(name) for name in ("request_id", "traceparent")}
        envelope = Envelope(new_id(), REQUESTED, asdict(mail), self.clock(), **bound)
        await self.outbox.put(connection, EXCHANGE, envelope)

    def wake(self) -> None:
        """Call it after the commit."""
        self.outbox.wake()


def _bound(name: str) -> str | None:
    """A value of the current HTTP request, as its log lines have it; None: there is no request."""
    bound = structlog.contextvars.get_contextvars().get(name)
    return bound if isinstance(bound, str) else None
