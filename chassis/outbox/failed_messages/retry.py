"""Retries failed messages when they are due, as a task of each consumer of their queue."""

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
"""Handles a message in its own transaction. Raises MessageInvalid (also for an unknown type) or StoreUnavailable;
any other exception is a fault that may pass."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when to retry; times in seconds. After `attempts` a message waits for a human.

    While a store is unavailable a message is held for `hold_s`, then it goes back to the queue. `hold_s` must be
    shorter than the broker waits for an acknowledgement (RabbitMQ: 30 minutes).
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
        """The pause before the next check whether the store is back."""
        return _spread(self.first_hold_s, self.last_hold_s, tries)

    def retry_after(self, attempts: int) -> timedelta | None:
        """The time until the next attempt. None: no attempt is left."""
        if attempts >= self.attempts:
            return None
        return timedelta(seconds=_spread(self.first_retry_s, self.last_retry_s, attempts))


class FailedMessageRetry:
    """Retries the failed messages of one queue."""

    def __init__(
        self,
        queue: str,
        handler: MessageHandler,
        database: Database,
        failed_messages: FailedMessages,
        retry_policy: RetryPolicy,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._database = database
        self._failed_messages = failed_messages
        self._retry_policy = retry_policy
        self._may_go_on = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Call it once."""
        self._may_go_on.set()
        self._task = asyncio.create_task(self._run(), name=f"retry failed messages of {self._queue}")

    def pause(self) -> None:
        self._may_go_on.clear()

    def resume(self) -> None:
        self._may_go_on.set()

    async def stop(self, grace_s: float) -> None:
        """Finishes the message in progress within `grace_s`."""
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
                await asyncio.wait_for(self._stopping.wait(), self._retry_policy.look_s)

    async def _try_due(self) -> None:
        """Claims and tries one message at a time, so a crash leaves only one lease."""
        while self._may_go_on.is_set() and not self._stopping.is_set():
            lease = timedelta(seconds=2 * self._retry_policy.handler_timeout_s)
            within = timedelta(seconds=self._retry_policy.last_retry_s)
            async with self._database.write() as connection:
                due = await self._failed_messages.due(connection, self._queue, lease, 1, within)
            if not due:
                return
            await self._try(due[0])

    async def _try(self, message: FailedMessage) -> None:
        """Raises StoreUnavailable: this is not an attempt, and the message is due again when the lease ends."""
        try:
            async with asyncio.timeout(self._retry_policy.handler_timeout_s):
                await self._handler(message.envelope())
        except StoreUnavailable:
            raise
        except MessageInvalid as error:
            await self._failed(message, f"not understood: {error}", None)
        except Exception as error:
            log.exception("handler_failed", queue=self._queue, parked_id=message.id)
            after = self._retry_policy.retry_after(message.attempts + 1)
            await self._failed(message, f"{type(error).__name__}: {error}", after)
        else:
            async with self._database.write() as connection:
                await self._failed_messages.handled(connection, message)

    async def _failed(self, message: FailedMessage, reason: str, retry_after: timedelta | None) -> None:
        async with self._database.write() as connection:
            await self._failed_messages.failed(connection, message, reason, retry_after)


def _spread(first_s: float, last_s: float, times: int) -> float:
    """Doubles each time, with jitter: processes must not retry in step."""
    return min(first_s * 2.0 ** min(times - 1, 30), last_s) * random.uniform(0.5, 1)  # noqa: S311  # no secret
