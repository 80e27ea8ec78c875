"""The two kinds of queue of the SQLite broker, as a consumer sees them."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from chassis.messaging.sqlite import jobs
from chassis.messaging.sqlite.consumer_loop import LeasedMessage
from chassis.messaging.sqlite.thread import Job

T = TypeVar("T")
Clock = Callable[[], float]


class JobRunner(Protocol):
    """Runs a job in the broker's thread. Raises BrokerUnavailable."""

    async def __call__(self, job: Job[T], *, is_write: bool = True) -> T: ...


class LeasedQueue:
    """Each message is taken under a lease. `held`: id → token of the leases that the broker renews."""

    def __init__(
        self, run: JobRunner, clock: Clock, queue: str, lease_s: float, held: dict[int, int], wake: Callable[[], None]
    ) -> None:
        self._run, self._clock, self._queue = run, clock, queue
        self._lease_s, self._held, self._wake = lease_s, held, wake

    async def take(self, at_most: int) -> list[LeasedMessage]:
        now = self._clock()
        taken = await self._run(lambda connection: jobs.take(connection, self._queue, at_most, now, self._lease_s))
        self._held.update((one.number, one.token) for one in taken)
        return taken

    async def acknowledge(self, taken: LeasedMessage) -> None:
        self._release(taken)
        await self._run(lambda connection: jobs.acknowledge(connection, taken))

    async def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        self._release(taken)
        now = self._clock()
        await self._run(lambda connection: jobs.give_back(connection, taken, now, failed=failed))
        self._wake()

    def _release(self, taken: LeasedMessage) -> None:
        if self._held.get(taken.number) == taken.token:
            del self._held[taken.number]


class ReplyQueue:
    """Messages are deleted when they are taken."""

    def __init__(self, run: JobRunner, clock: Clock, queue: str) -> None:
        self._run, self._clock, self._queue = run, clock, queue

    async def take(self, at_most: int) -> list[LeasedMessage]:
        now = self._clock()
        return await self._run(lambda connection: jobs.take_away(connection, self._queue, at_most, now))

    async def acknowledge(self, taken: LeasedMessage) -> None:
        return None

    async def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        return None
