"""A consumer of one queue on its own connection. A supervisor restores it, whatever ended it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import structlog
from aiormq.abc import AbstractChannel as Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from chassis.messaging.port import BrokerUnavailable, Handler, MessagingError
from chassis.messaging.rabbit.acknowledgements import Acknowledgements
from chassis.messaging.rabbit.errors import answered
from chassis.messaging.rabbit.link import Link
from chassis.messaging.rabbit.message import to_delivery

ANSWER_TIMEOUT_S = 5.0
CHECK_EVERY_S = 10.0
CANCEL_AGAIN_S = 1.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 3.0
Attach = Callable[[], Awaitable[str]]
"""Called on each new connection; returns the name of the queue to consume."""
Tend = Callable[[], Awaitable[None]]
"""Creates what is missing. Called on each new connection and then regularly."""

log = structlog.get_logger("chassis.messaging")


class RabbitSubscription:
    """Handlers run in their own tasks, so a lost connection does not cancel a transaction in progress.

    A new connection takes one message at a time until it gets one that was never delivered before. So a message that
    crashes the process or the connection raises only its own delivery count, not that of `prefetch` others.
    """

    def __init__(
        self,
        link: Link,
        attach: Attach,
        handler: Handler,
        *,
        prefetch: int,
        acknowledges: bool = True,
        tend: Tend | None = None,
    ) -> None:
        self._link, self._attach, self._handler, self._tend = link, attach, handler, tend
        self._prefetch, self._acknowledges = prefetch, acknowledges
        self._slots = asyncio.Semaphore(prefetch)
        self._under_way: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()  # held to change the consumer
        self._changed = asyncio.Event()  # the broker cancelled the consumer, or the channel ended
        self._channel: Channel | None = None
        self._acknowledgements: Acknowledgements | None = None
        self._queue = ""
        self._tags: set[str] = set()
        self._failures = 0
        self._is_careful = False
        self._paused = False
        self.tried = asyncio.Event()
        self._task = asyncio.create_task(self._supervise())

    @property
    def is_consuming(self) -> bool:
        return bool(self._tags) and self._channel is not None and not self._channel.is_closed

    async def pause(self) -> None:
        async with self._turn:
            self._paused = True
            await self._cancel()

    async def resume(self) -> None:
        async with self._turn:
            self._paused = False
            if self._channel is not None and not self._tags:
                with suppress(MessagingError):  # the supervisor sees it, too
                    await self._begin(self._channel)

    async def stop(self, grace_s: float = 10.0) -> None:
        await self.pause()
        await _ended(self._under_way, grace_s)
        if self._acknowledgements is not None:
            await self._acknowledgements.flush()
        while not self._task.done():  # asyncio.wait_for of Python 3.11 can lose a cancellation
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_S)
        await self._link.aclose()

    async def _supervise(self) -> None:
        while True:
            try:
                await self._live()
            except MessagingError as error:
                self._failures += 1
                if _is_power_of_two(self._failures):
                    log.warning("consumer lost", queue=self._link.name, reason=str(error), attempts=self._failures)
            except Exception:
                self._failures += 1
                log.exception("consumer lost", queue=self._link.name)
            self.tried.set()
            await asyncio.sleep(_wait_s(self._failures))

    async def _live(self) -> None:
        """One connection, from opening to loss."""
        try:
            await self._tended()
            self._queue = await self._attach()
            channel = await self._opened()
            async with self._turn:
                self._channel, self._is_careful = channel, self._acknowledges
                if not self._paused:
                    await self._begin(channel)
            self.tried.set()
            while True:
                await self._watch(channel)
        finally:
            self._channel = None
            self._tags.clear()
            self._link.abandon()

    async def _opened(self) -> Channel:
        channel = await self._link.channel()
        self._acknowledgements = Acknowledgements(channel, most=1)
        self._changed.clear()
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        channel.closing.add_done_callback(lambda _: self._changed.set())
        return channel

    async def _watch(self, channel: Channel) -> None:
        """Waits for a change or for the next check. Raises MessagingError if the consumer is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY_S):
                await self._changed.wait()
        self._changed.clear()
        if channel.is_closed:
            raise BrokerUnavailable("the channel was closed")
        await self._tended()
        async with self._turn:
            if not self._tags and not self._paused:
                await self._begin(channel)
            else:
                await self._check(channel)

    async def _tended(self) -> None:
        if self._tend is not None:
            await self._tend()

    async def _check(self, channel: Channel) -> None:
        """Asks on the consumer's channel, so an answer shows that the channel works."""
        async with answered(f"checking the consumer of {self._queue}", ANSWER_TIMEOUT_S):
            seen = await channel.queue_declare(self._queue, passive=True)
        if not self._paused and not seen.consumer_count:
            raise BrokerUnavailable("the broker has no consumer")
        self._failures = 0

    async def _begin(self, channel: Channel) -> None:
        await self._consume(channel, 1 if self._is_careful else self._prefetch)

    async def _consume(self, channel: Channel, prefetch: int) -> None:
        async with answered(f"consuming {self._queue}", ANSWER_TIMEOUT_S):
            await channel.basic_qos(prefetch_count=prefetch)
            done = await channel.basic_consume(self._queue, self._delivered, no_ack=not self._acknowledges)
            self._tags.add(str(done.consumer_tag))

    async def _cancel(self) -> None:
        """Messages may come until the broker confirms."""
        with suppress(MessagingError):  # without a connection there is no consumer
            async with answered(f"pausing {self._queue}", ANSWER_TIMEOUT_S):
                for tag in [*self._tags]:
                    if self._channel is not None:
                        await self._channel.basic_cancel(tag)
        self._tags.clear()

    def _cancelled(self, frame: Basic.Cancel) -> None:
        log.warning("consumer cancelled by the broker", queue=self._link.name)
        self._tags.discard(str(frame.consumer_tag))
        self._changed.set()

    async def _widen(self) -> None:
        """Adds a second consumer: cancelling the first would count as a delivery of the message it holds."""
        async with self._turn:
            if self._channel is not None and len(self._tags) == 1 and self._prefetch > 1:
                with suppress(MessagingError):  # the supervisor sees it, too
                    await self._consume(self._channel, self._prefetch - 1)

    async def _delivered(self, message: DeliveredMessage) -> None:
        if self._is_careful and not message.redelivered:
            self._is_careful = False
            if self._acknowledgements is not None:
                self._acknowledgements.most = max(1, self._prefetch // 2)
            self._start(self._widen())
        self._start(self._handle(message))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _handle(self, message: DeliveredMessage) -> None:
        async with self._slots:
            if self._acknowledges and message.channel.is_closed:
                return  # it comes again
            try:
                await self._handler(to_delivery(self._queue, message))
            except Exception as error:
                log.warning("message not handled", queue=self._link.name, reason=type(error).__name__, exc_info=error)
                is_handled = False
            else:
                self._failures, is_handled = 0, True
        await self._settle(message, is_handled)

    async def _settle(self, message: DeliveredMessage, is_handled: bool) -> None:
        tag, acknowledgements = message.delivery_tag, self._acknowledgements
        if not self._acknowledges or tag is None or acknowledgements is None:
            return
        if message.channel is not acknowledgements.channel:
            return  # which is lost: it comes again
        if is_handled:
            await acknowledgements.handled(tag)
            return
        with suppress(MessagingError):
            async with answered(f"rejecting in {self._queue}", ANSWER_TIMEOUT_S):
                await acknowledgements.rejected(tag)


async def _ended(tasks: set[asyncio.Task[None]], grace_s: float) -> None:
    """Cancels those that are late; their messages return to the queue when the channel closes."""
    if not tasks:
        return
    _done, late = await asyncio.wait(tasks, timeout=grace_s)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)


def _is_power_of_two(count: int) -> bool:
    """True ever more rarely: a log line for these attempts alone does not flood the log while a broker is away."""
    return count & (count - 1) == 0


def _wait_s(failures: int) -> float:
    longest: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311  # spreads reconnections
