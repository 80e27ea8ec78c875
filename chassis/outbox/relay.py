"""Publishes the messages of the outbox, with one worker a destination: a full queue does not delay others.

It marks a message as published after the broker has confirmed it. After a crash in between, the message is sent again
with the same message id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.messaging.port import Publisher
from chassis.outbox.destination_worker import DestinationWorker, RelayPace, Trouble
from chassis.outbox.outbox import Outbox
from chassis.store import StoreUnavailable

Prune = Callable[[AsyncConnection, timedelta, int], Awaitable[int]]
"""(connection, age, limit) → how many older rows it has deleted, at most the limit."""
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """For metrics and operators, by destination. The trouble of "" is the database's."""

    unpublished: dict[str, int]
    oldest_s: dict[str, float]
    troubles: dict[str, Trouble]


class OutboxRelay:
    """Make one a process; any number of processes can share an outbox. It waits for an unavailable broker or database.

    `also_prune`: deletes other old rows of this database, as those of the inbox.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        publisher: Publisher,
        pace: RelayPace | None = None,
        also_prune: Sequence[Prune] = (),
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._pace = pace or RelayPace()
        self._publisher = publisher
        self._prunes = (outbox.prune, *also_prune)
        self._workers: dict[str, DestinationWorker] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._store_trouble: Trouble | None = None
        outbox.on_wake(self._wake)

    async def run(self) -> None:
        """Runs until `stop` or cancellation. Call it once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            pruning = group.create_task(self._prune())
            try:
                while not self._stopping.is_set():
                    await self._wait(await self._look())
            finally:
                self._group = None
            pruning.cancel()
            for worker in self._workers.values():
                worker.stop()

    def stop(self) -> None:
        """Ends `run` after the messages in progress are confirmed and marked. Claims nothing new."""
        self._stopping.set()

    async def status(self) -> RelayStatus:
        """Raises StoreUnavailable."""
        async with self._database.read() as connection:
            ages = await self._outbox.oldest(connection)
            waiting = await self._outbox.unpublished(connection)
        return RelayStatus(waiting, {name: age.total_seconds() for name, age in ages.items()}, self.troubles())

    def troubles(self) -> dict[str, Trouble]:
        """Of each destination without progress. "" is the database."""
        troubles = {name: worker.trouble for name, worker in self._workers.items() if worker.trouble is not None}
        return troubles | ({"": self._store_trouble} if self._store_trouble else {})

    async def _look(self) -> float:
        """Wakes the workers of all destinations with messages. Returns the seconds until the next poll."""
        try:
            async with self._database.read() as connection:
                waiting = await self._outbox.oldest(connection)
        except StoreUnavailable as error:
            attempts = self._store_trouble.attempts if self._store_trouble else 0
            self._store_trouble = Trouble(str(error), attempts + 1)
            return max(self._pace.retry_s(attempts), self._pace.poll_s)
        self._store_trouble = None
        for destination in waiting:
            self._wake(destination)
        return self._pace.poll_s

    def _wake(self, destination: str) -> None:
        if self._group is None:
            return
        if destination not in self._workers:
            worker = DestinationWorker(destination, self._database, self._outbox, self._publisher, self._pace)
            self._workers[destination] = worker
            self._group.create_task(
                worker.run(), context=Context()
            )  # it must not inherit the context of whoever woke it first
        self._workers[destination].wake()

    async def _prune(self) -> None:
        keep = timedelta(seconds=self._pace.keep_s)
        while True:
            for prune in self._prunes:
                with suppress(StoreUnavailable):
                    while await self._prune_some(prune, keep) == _AT_ONCE:
                        pass
            await asyncio.sleep(self._pace.prune_every_s)

    async def _prune_some(self, prune: Prune, keep: timedelta) -> int:
        async with self._database.write() as connection:
            return await prune(connection, keep, _AT_ONCE)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
