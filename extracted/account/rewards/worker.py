"""Takes the messages of rewards from their queue, with or without a shop."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope
from chassis.messaging.port import Broker
from chassis.outbox.consumer import Consumer, consume
from chassis.outbox.failed_messages.table import FailedMessages
from extracted.account.replies import ReplySender
from extracted.account.rewards import messages
from extracted.account.rewards.service import RewardPayments


@dataclass(frozen=True, slots=True)
class RewardConsumer:
    """Waits for broker and database if they are away. `consumers`: a list that holds those that run now."""

    broker: Broker
    payments: RewardPayments
    replies: ReplySender
    clock: Callable[[], datetime]
    database: Database
    failed_messages: FailedMessages
    consumers: list[Consumer]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end it takes nothing new and finishes what is under way."""
        consumer = await consume(self.broker, messages.QUEUE, self.handle, self.database, self.failed_messages)
        self.consumers.append(consumer)
        try:
            yield
        finally:
            await consumer.stop()
            await self.replies.aclose()

    async def handle(self, envelope: Envelope) -> None:
        """Raises MessageInvalid, or StoreUnavailable, which makes the message come again."""
        reward = messages.earned_reward(envelope)
        await self.payments.pay(reward)
        if envelope.reply_to is not None:
            self.replies.send(envelope.reply_to, messages.paid(envelope, reward, self.clock()))
