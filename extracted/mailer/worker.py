"""What goes on beside the requests: requests for mail in, mails out, and what a clock does."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox.consumer import Consumer, consume
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.service import startup
from extracted.mailer import messages
from extracted.mailer.delivery.notifier import SenderNotifier
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.ports import KeyUsed, RequestInvalid
from extracted.mailer.service import Intake

GRACE_S: Final = 10.0


class Sender(Protocol):
    """Sends one mail after another."""

    def stop(self) -> None:
        """Nothing new is begun."""
        ...

    async def run(self) -> None:
        """Until `stop`, and what is under way then is done."""
        ...


@dataclass(slots=True)
class MailWorker:
    """It starts whatever is away: broker, database, provider; each is waited for. `topology`: Mailer's own queues."""

    broker: Broker
    topology: Topology
    intake: Intake
    notifier: SenderNotifier
    senders: Sequence[Sender]
    maintenance: Maintenance
    database: Database
    failed_messages: FailedMessages
    grace_s: float = GRACE_S
    consumer: Consumer | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends in order: nothing new is taken or begun, then what is under way is finished, within the grace."""
        others = [
            asyncio.create_task(startup.declare(self.broker, self.topology), name="declare"),
            asyncio.create_task(self.notifier.run(), name="wake"),
            asyncio.create_task(self.maintenance.run(), name="keep"),
        ]
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.broker.aclose)
            stack.push_async_callback(_cancel, others)
            sending = [asyncio.create_task(sender.run(), name=f"sender {n}") for n, sender in enumerate(self.senders)]
            woken = await self.broker.consume(messages.WAKE_QUEUE, self.notifier.handle)
            stack.push_async_callback(woken.stop, self.grace_s)
            requests = (self.broker, messages.REQUESTS_QUEUE, self.requested, self.database, self.failed_messages)
            self.consumer = consumer = await consume(*requests)
            try:
                yield
            finally:
                await self._finish(consumer, sending)

    async def requested(self, envelope: Envelope) -> None:
        """A request for mail. Raises MessageInvalid for one that can never be right, StoreUnavailable."""
        asked = messages.asked(envelope)
        try:
            await self.intake.templated(asked.key, asked.kind, asked.recipient, asked.locale, asked.variables)
        except (RequestInvalid, KeyUsed) as error:
            raise MessageInvalid(str(error)) from error

    async def _finish(self, consumer: Consumer, sending: Sequence["asyncio.Task[None]"]) -> None:
        for sender in self.senders:
            sender.stop()
        stopping = asyncio.create_task(consumer.stop(self.grace_s))
        await asyncio.wait([stopping, *sending], timeout=self.grace_s + 1)
        await _cancel([stopping, *sending])

    def status(self) -> Mapping[str, object] | None:
        """How its consumer is: `held` messages wait for a store, and why."""
        return None if self.consumer is None else self.consumer.status().shown()


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
