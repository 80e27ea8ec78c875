"""The background work of a process: consumes requests, runs the senders and the maintenance."""

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


class RunningSender(Protocol):
    """Sends one mail after another."""

    def stop(self) -> None:
        """Begins no further mail."""
        ...

    async def run(self) -> None:
        """Until `stop`; finishes the mail under way."""
        ...


@dataclass(slots=True)
class MailWorker:
    """Starts also while broker, database or provider are away, and waits for them. `topology`: Mailer's queues."""

    broker: Broker
    topology: Topology
    intake: Intake
    notifier: SenderNotifier
    senders: Sequence[RunningSender]
    maintenance: Maintenance
    database: Database
    failed_messages: FailedMessages
    grace_s: float = GRACE_S
    consumer: Consumer | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At its end it takes and begins nothing more, and finishes what is under way, within the grace."""
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
        """Handles a request. Raises MessageInvalid for one that can never be accepted, StoreUnavailable."""
        asked = messages.mail_requested(envelope)
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
        """Of the consumer: how many messages it holds while the store is away, and why."""
        return None if self.consumer is None else self.consumer.status().shown()


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
