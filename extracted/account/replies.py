"""Replies to a sender that waits: sent at once, not stored, without waiting for the broker."""

import asyncio

import structlog

from chassis.messaging.envelope import Envelope
from chassis.messaging.port import MessagingError, Publisher

log = structlog.get_logger("account.replies")

EXPIRES_S = 10.0
TIMEOUT_S = 2.0
MOST_AT_ONCE = 500


class ReplySender:
    """Sends to an exchange of replies. The sender that waits has to do without a reply that is lost."""

    def __init__(self, publisher: Publisher, exchange: str) -> None:
        self._publisher, self._exchange = publisher, exchange
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, routing_key: str, reply: Envelope) -> None:
        """Returns at once; drops the reply if too many wait for the broker."""
        if len(self._tasks) >= MOST_AT_ONCE:
            return
        task = asyncio.create_task(self._publish(routing_key, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Waits for those under way."""
        await asyncio.gather(*self._tasks)

    async def _publish(self, routing_key: str, reply: Envelope) -> None:
        try:
            await self._publisher.publish(
                self._exchange,
                reply,
                routing_key=routing_key,
                persistent=False,
                expires_s=EXPIRES_S,
                timeout_s=TIMEOUT_S,
            )
        except MessagingError as error:
            log.info("reply_lost", causation_id=reply.causation_id, reason=str(error))
