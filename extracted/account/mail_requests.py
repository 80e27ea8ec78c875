"""Mail that Account asks Mailer for: into the outbox, in the transaction of what the mail tells of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.messaging.envelope import Envelope, new_id
from chassis.outbox.outbox import Outbox
from extracted.account.domain import MailAsked

EXCHANGE: Final = "mails"
REQUESTED: Final = "mail.requested.v1"


@dataclass(frozen=True, slots=True)
class Posting:
    """What the adapter's writes are handed: they know no outbox."""

    outbox: Outbox
    clock: Callable[[], datetime]

    async def put(self, connection: AsyncConnection, mail: MailAsked) -> None:
        """Sent after the commit, once; never without it."""
        body = {
            "kind": mail.kind,
            "recipient": mail.recipient,
            "locale": mail.locale,
            "variables": dict(mail.variables),
        }
        bound = {name: _bound(name) for name in ("request_id", "traceparent")}
        envelope = Envelope(new_id(), REQUESTED, body, self.clock(), **bound)
        await self.outbox.put(connection, EXCHANGE, envelope)

    def wake(self) -> None:
        """After the commit."""
        self.outbox.wake()


def _bound(name: str) -> str | None:
    """Of the HTTP request under way, as it stands in its lines in the log; None: there is none."""
    bound = structlog.contextvars.get_contextvars().get(name)
    return bound if isinstance(bound, str) else None
