"""The relay's worker for one destination: claims, publishes, marks. It backs off if the destination accepts nothing."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from chassis.database.database import Database
from chassis.failpoints import reach
from chassis.messaging.envelope import MessageInvalid, new_id
from chassis.messaging.port import MessagingError, Publisher
from chassis.outbox.outbox import Outbox, OutboxMessage, exchange_of
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.outbox.relay")
_MARGIN = 1.25
"""Factor on the time-out of the publisher: after that the worker gives it up."""


@dataclass(frozen=True, slots=True)
class RelayPace:
    """The timing of the relay, in seconds. `lease_s` must be longer than publishing and marking take.

    `window`: messages of one destination in progress at once, each of at most 256 KiB; bounds the memory.
    `gather_s`: the least time between two claims, so that under load one claim takes several messages; the first claim
    after a pause does not wait. `poll_s`: how soon messages of other processes are found. `keep_s`: how long published
    messages are kept.
    """

    window: int = 100
    publish_timeout_s: float = 5.0
    lease_s: float = 10.0
    poll_s: float = 0.25
    gather_s: float = 0.01
    first_retry_s: float = 0.1
    last_retry_s: float = 5.0
    keep_s: float = 7 * 24 * 3600
    prune_every_s: float = 3600

    def retry_s(self, failures: int) -> float:
        """The pause after so many failures in a row, with jitter: processes must not retry in step."""
        longest = min(self.first_retry_s * 2.0 ** min(failures, 30), self.last_retry_s)
        return longest * random.uniform(0.5, 1)  # noqa: S311  # no secret


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a destination does not make progress, and how many attempts have failed in a row."""

    reason: str
    attempts: int


@dataclass(slots=True)
class Batch:
    """The result for claimed rows. Rows in neither list keep their lease, and are tried again when it ends."""

    claim: str = ""
    is_full: bool = True
    confirmed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    error: str | None = None


class DestinationWorker:
    """Runs as one task of the relay."""

    def __init__(
        self, destination: str, database: Database, outbox: Outbox, publisher: Publisher, pace: RelayPace
    ) -> None:
        self.trouble: Trouble | None = None
        self._destination = destination
        self._database = database
        self._outbox = outbox
        self._publisher = publisher
        self._pace = pace
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._claim = ""
        self._limit = 0
        self._claimed_at = 0.0

    def wake(self) -> None:
        """Tells it that there may be a new message."""
        self._woken.set()

    def stop(self) -> None:
        """Ends `run` after the batch in progress is settled."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Runs until `stop`."""
        while not self._stopping.is_set():
            await self._woken.wait()
            try:
                await self._send_all()
            except Exception as error:  # an unexpected error must not end the worker; claimed messages are tried again
                log.exception("relay_failed", destination=self._destination)
                self._failed(f"{type(error).__name__}: {error}")
                await self._back_off()
                self._woken.set()

    async def _send_all(self) -> None:
        batch = Batch()
        while rows := await self._next(batch):
            batch = await self._publish(rows)
            await self._gather(batch)

    async def _next(self, batch: Batch) -> Sequence[OutboxMessage]:
        """Settles a batch and claims the next. Empty if no more are likely, or on `stop`."""
        while True:
            try:
                rows = await self._turn(batch)
                if batch.error is None:
                    return self._went_well(batch, rows)
                self._failed(batch.error)
                batch = Batch()
            except StoreUnavailable as error:
                self._woken.set()
                self._failed(f"the database is unavailable: {error}")
            if self._stopping.is_set():
                return ()
            await self._back_off()

    def _went_well(self, batch: Batch, rows: Sequence[OutboxMessage]) -> Sequence[OutboxMessage]:
        if batch.confirmed or not rows:
            self._recovered()
        return rows

    async def _turn(self, batch: Batch) -> Sequence[OutboxMessage]:
        wanted = self._wanted(batch)
        if not (wanted or batch.confirmed or batch.failed):
            return ()
        if batch.failed:
            async with self._database.prepared_write() as connection:
                await self._outbox.release(connection, batch.failed, batch.claim)
        if not (wanted or batch.confirmed):
            return ()
        return await self._claimed(batch.confirmed, wanted)

    async def _claimed(self, confirmed: Sequence[str], wanted: int) -> Sequence[OutboxMessage]:
        if wanted:
            self._woken.clear()
            self._claimed_at = time.monotonic()
        self._claim, lease = new_id(), timedelta(seconds=self._pace.lease_s)
        rows = await self._outbox.turn(self._database, confirmed, self._destination, self._claim, wanted, lease)
        self._limit = wanted
        return rows

    def _wanted(self, batch: Batch) -> int:
        """How many to claim. After a failure only one, as a probe."""
        if self._stopping.is_set() or batch.error is not None:
            return 0
        if self.trouble is not None:
            return 1
        return self._pace.window if batch.is_full or self._woken.is_set() else 0

    async def _publish(self, rows: Sequence[OutboxMessage]) -> Batch:
        batch = Batch(self._claim, is_full=len(rows) == self._limit, failed=[row.message_id for row in rows])
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.publish_timeout_s * _MARGIN):
                await asyncio.gather(*(self._publish_one(row, batch) for row in rows))
        if batch.failed and batch.error is None:
            batch.error = "the broker did not answer in time"
        if batch.confirmed:
            await reach("relay.confirmed")
        return batch

    async def _publish_one(self, row: OutboxMessage, batch: Batch) -> None:
        timeout_s = self._pace.publish_timeout_s
        try:
            await self._publisher.publish(exchange_of(self._destination), row.envelope(), timeout_s=timeout_s)
            batch.confirmed.append(row.message_id)
            batch.failed.remove(row.message_id)
        except MessageInvalid as error:  # not a fault of the destination: other messages go on
            batch.failed.remove(row.message_id)
            log.error("message_cannot_be_sent", message_id=row.message_id, reason=str(error))
        except MessagingError as error:
            batch.error = str(error)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
                raise
            batch.error = "the publisher cancelled it"  # some client libraries cancel the task that waits for them
        except Exception as error:
            batch.error = f"{type(error).__name__}: {error}"
            log.exception("publish_failed", destination=self._destination)

    def _failed(self, reason: str) -> None:
        before = self.trouble
        self.trouble = Trouble(reason, before.attempts + 1 if before else 1)
        if before is None or before.reason != reason:
            log.warning("outbox_waits", destination=self._destination, reason=reason)

    def _recovered(self) -> None:
        if self.trouble is not None:
            log.info("outbox_goes_on", destination=self._destination, attempts=self.trouble.attempts)
        self.trouble = None

    async def _gather(self, batch: Batch) -> None:
        if not batch.is_full and batch.error is None and not self._stopping.is_set():
            await asyncio.sleep(self._claimed_at + self._pace.gather_s - time.monotonic())

    async def _back_off(self) -> None:
        delay_s = self._pace.retry_s(self.trouble.attempts - 1 if self.trouble else 0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)
