"""Tries parked messages again when they are due: a task of the consumer that parked them, beside those of others."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.outbox.failed_messages.message import FailedMessage
from chassis.outbox.failed_messages.table import LONGEST_WAIT, FailedMessages
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.outbox.consumer")
MessageHandler = Callable[[Envelope], Awaitable[None]]
"""Does its own transaction. Raises MessageInvalid (also for a type that it does not know), StoreUnavailable; anything
else is a fault that may pass."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failures are met; seconds. After `attempts` a message waits for a human; after `hold_s` it goes back.

    `hold_s` is shorter than the broker waits for an acknowledgement (RabbitMQ: 30 minutes).
    """

    handler_timeout_s: float = 60.0
    hold_s: float = 600.0
    first_hold_s: float = 0.1
    last_hold_s: float = 5.0
    attempts: int = 10
    first_retry_s: float = 1.0
    last_retry_s: float = LONGEST_WAIT.total_seconds()
    look_s: float = 1.0

    def hold_pause_s(self, tries: int) -> float:
        """Before the next look whether the store is back."""
        return _spread(self.first_hold_s, self.last_hold_s, tries)

    def retry_after(self, attempts: int) -> timedelta | None:
        """None: it has failed as often as it may."""
        if attempts >= self.attempts:
            return None
        return timedelta(seconds=_spread(self.first_retry_s, self.last_retry_s, attempts))


class FailedMessageRetry:
    """One queue's."""

    def __init__(
        self,
        queue: str,
        handler: MessageHandler,
        database: Database,
        failed_messages: FailedMessages,
        patience: RetryPolicy,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._database = database
        self._failed_messages = failed_messages
        self._patience = patience
        self._may_go_on = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once."""
        self._may_go_on.set()
        self._task = asyncio.create_task(self._run(), name=f"retry parked {self._queue}")

    def pause(self) -> None:
        self._may_go_on.clear()

    def resume(self) -> None:
        self._may_go_on.set()

    async def stop(self, grace_s: float) -> None:
        """The message that is being tried ends well, at most `grace_s`."""
        self._stopping.set()
        self._may_go_on.set()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=grace_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._may_go_on.wait()
            try:
                await self._try_due()
            except StoreUnavailable as error:
                log.info("parked_messages_wait", queue=self._queue, reason=str(error))
            except Exception:
                log.exception("parked_retry_failed", queue=self._queue)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._patience.look_s)

    async def _try_due(self) -> None:
        """One after another, each claimed as it comes: a crash leaves one lease alone."""
        while self._may_go_on.is_set() and not self._stopping.is_set():
            lease = timedelta(seconds=2 * self._patience.handler_timeout_s)
            within = timedelta(seconds=self._patience.last_retry_s)
            async with self._database.write() as connection:
                due = await self._failed_messages.due(connection, self._queue, lease, 1, within)
            if not due:
                return
            await self._try(due[0])

    async def _try(self, message: FailedMessage) -> None:
        """Raises StoreUnavailable: that is no attempt; it is tried again when the lease ends."""
        try:
            async with asyncio.timeout(self._patience.handler_timeout_s):
                await self._handler(message.envelope())
        except StoreUnavailable:
            raise
        except MessageInvalid as error:
            await self._failed(message, f"not understood: {error}", None)
        except Exception as error:
            log.exception("handler_failed", queue=self._queue, parked_id=message.id)
            after = self._patience.retry_after(message.attempts + 1)
            await self._failed(message, f"{type(error).__name__}: {error}", after)
        else:
            async with self._database.write() as connection:
                await self._failed_messages.handled(connection, message)

    async def _failed(self, message: FailedMessage, reason: str, retry_after: timedelta | None) -> None:
        async with self._database.write() as connection:
            await self._failed_messages.failed(connection, message, reason, retry_after)


def _spread(first_s: float, last_s: float, times: int) -> float:
    """Doubles each time; with jitter, so that processes do not come in step."""
    return min(first_s * 2.0 ** min(times - 1, 30), last_s) * random.uniform(0.5, 1)  # noqa: S311  # no secret
