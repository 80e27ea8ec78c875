"""Periodic work: ends stale leases, removes old content, raises the alarm for mails that wait too long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from chassis.store import StoreUnavailable
from extracted.mailer.ports import DeliveryQueue, Mails

log = structlog.get_logger("mailer.maintenance")

EXPIRE_EVERY_S: Final = 1.0
FORGET_EVERY_S: Final = 3600.0
WATCH_EVERY_S: Final = 5.0


class Retention(Protocol):
    """Removes what is older than the retention time."""

    async def forget(self) -> int:
        """Returns how many mails it has changed; it is called again until that is 0. Raises StoreUnavailable."""
        ...


@dataclass(slots=True)
class Maintenance:
    """One per process; several processes may run it at once. `again`: until an ambiguous mail is sent again."""

    mails: Mails
    queue: DeliveryQueue
    retention: Retention
    clock: Callable[[], datetime]
    again: timedelta
    alarm_after: timedelta
    is_late: bool = False

    async def expire(self) -> None:
        """Ends leases that are over: the sender has died, or hangs."""
        now = self.clock()
        while count := await self.queue.expire(now, now + self.again):
            log.error("mails_ambiguous", count=count, reason="their lease ended")

    async def forget(self) -> None:
        """Removes old content, rows and bounces."""
        while count := await self.retention.forget():
            log.info("contents_removed", count=count)

    async def watch(self) -> None:
        """Logs once when the oldest due mail waits too long, and once when that is over."""
        age = await self.oldest_due_s()
        is_late = age is not None and age > self.alarm_after.total_seconds()
        if is_late and not self.is_late:
            log.error(
                "mails_wait_too_long", oldest_due_s=round(age or 0), alarm_after_s=self.alarm_after.total_seconds()
            )
        if self.is_late and not is_late:
            log.warning("mails_wait_no_longer", oldest_due_s=None if age is None else round(age))
        self.is_late = is_late

    async def oldest_due_s(self) -> float | None:
        """The age of the oldest due mail; None: nothing is due. Raises StoreUnavailable."""
        since = await self.mails.oldest_due()
        return None if since is None else (self.clock() - since).total_seconds()

    async def run(self) -> None:
        """Does all of it, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for act, every_s in (
                (self.expire, EXPIRE_EVERY_S),
                (self.forget, FORGET_EVERY_S),
                (self.watch, WATCH_EVERY_S),
            ):
                group.create_task(_repeat(act, every_s), name=act.__name__)


async def _repeat(act: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await act()
        except StoreUnavailable as error:
            log.warning("store_unavailable", reason=str(error))
        except Exception:
            log.exception("maintenance_failed")
        await asyncio.sleep(every_s)
