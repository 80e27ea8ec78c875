"""Replies to the gateway that waits: sent at once, not stored, without waiting for the broker."""

import asyncio

import structlog

from chassis.messaging.envelope import Envelope
from chassis.messaging.port import MessagingError, Publisher
from extracted.account.purchases.messages import REPLIES_EXCHANGE

log = structlog.get_logger("account.replies")

EXPIRES_S = 10.0
TIMEOUT_S = 2.0
MOST_AT_ONCE = 500


class GatewayReplies:
    """If a reply is lost, the client gets a 202 instead of the outcome."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
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
                REPLIES_EXCHANGE,
                reply,
                routing_key=routing_key,
                persistent=False,
                expires_s=EXPIRES_S,
                timeout_s=TIMEOUT_S,
            )
        except MessagingError as error:
            log.info("reply_lost", causation_id=reply.causation_id, reason=str(error))
