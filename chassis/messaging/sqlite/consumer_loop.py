"""A running consumer of one queue of a broker that is polled: SQLite here, memory in the tests."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from chassis.messaging.port import Delivery, Handler, MessagingError

log = structlog.get_logger("chassis.messaging")
RETRY_S = 0.5
"""Between two attempts while the broker is away."""


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A message that belongs to this consumer until the lease ends. A later lease has another `token`."""

    number: int
    token: int
    delivery: Delivery


class PolledQueue(Protocol):
    """One queue, as its consumer sees it. All methods raise BrokerUnavailable."""

    async def take(self, at_most: int) -> list[LeasedMessage]: ...

    async def acknowledge(self, taken: LeasedMessage) -> None: ...

    async def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        """`failed`: it counts against the delivery limit."""
        ...


class ConsumerLoop:
    """A Subscription that takes messages when woken, while fewer than `prefetch` are being handled."""

    def __init__(self, source: PolledQueue, handler: Handler, prefetch: int, label: str) -> None:
        self._source, self._handler, self._prefetch, self._label = source, handler, prefetch, label
        self._woken = asyncio.Event()
        self._handling: set[asyncio.Task[None]] = set()
        self._is_paused = self._is_stopping = False
        self._is_reached = True
        self._task = asyncio.create_task(self._run(), name=f"consume {label}")
        self.wake()

    @property
    def is_consuming(self) -> bool:
        return self._is_reached and not (self._is_paused or self._is_stopping or self._task.done())

    @property
    def is_stopped(self) -> bool:
        """Whether it takes and handles nothing any more."""
        return self._task.done() and not self._handling

    def wake(self) -> None:
        """Call this when there may be messages to take."""
        self._woken.set()

    async def pause(self) -> None:
        self._is_paused = True

    async def resume(self) -> None:
        self._is_paused = False
        self.wake()

    async def stop(self, grace_s: float = 10.0) -> None:
        self._is_stopping = True
        self.wake()
        await asyncio.gather(self._task, return_exceptions=True)  # not cancelled: it returns what it has just taken
        if self._handling:
            await asyncio.wait(self._handling, timeout=grace_s)
        await self._cancel()

    async def _cancel(self) -> None:
        left = [*self._handling]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _run(self) -> None:
        while not self._is_stopping:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._fill()
                self._is_reached = True
            except Exception as error:
                self._is_reached = False
                is_known = isinstance(error, MessagingError)
                log.warning("cannot take messages", queue=self._label, reason=str(error), exc_info=not is_known)
                await asyncio.sleep(RETRY_S)
                self.wake()

    async def _fill(self) -> None:
        while not (self._is_paused or self._is_stopping) and (room := self._prefetch - len(self._handling)) > 0:
            taken = await self._source.take(room)
            for one in taken:
                await self._start(one)
            if len(taken) < room:
                return

    async def _start(self, taken: LeasedMessage) -> None:
        if self._is_paused or self._is_stopping:  # since `take` began
            await self._source.give_back(taken, failed=False)
            return
        task = asyncio.create_task(self._handle(taken), name=f"handle {self._label}")
        self._handling.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("the result of a message was not recorded", queue=self._label, reason=str(error))
        self.wake()

    async def _handle(self, taken: LeasedMessage) -> None:
        try:
            await self._handler(taken.delivery)
        except asyncio.CancelledError:
            await self._source.give_back(taken, failed=False)
            raise
        except Exception:
            log.exception("a handler failed", queue=self._label, count=taken.delivery.count)
            await self._source.give_back(taken, failed=True)
        else:
            await self._source.acknowledge(taken)
