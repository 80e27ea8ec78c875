"""Sends several acknowledgements of one channel in one frame: a broker needs as long for one as for many."""

import asyncio
from bisect import bisect_right
from contextlib import suppress
from typing import Final

from aiormq.abc import AbstractChannel as Channel

from chassis.messaging.port import MessagingError
from chassis.messaging.rabbit.errors import answered

GATHER_S: Final = 0.05
"""How long an acknowledgement waits for others. After a crash meanwhile, handled messages come again: harmless."""
TIMEOUT_S: Final = 5.0


class Tags:
    """Which delivery tags may be acknowledged. They count from 1 on each channel (AMQP 0-9-1 §3.1.10)."""

    def __init__(self) -> None:
        self._through = 0  # this one and all before it are settled
        self._beyond: set[int] = set()  # settled, after a gap
        self._waiting: set[int] = set()

    @property
    def waiting(self) -> int:
        """How many are handled but not acknowledged."""
        return len(self._waiting)

    def handled(self, tag: int) -> None:
        """Marks it for acknowledgement."""
        self._waiting.add(tag)
        self.settled(tag)

    def settled(self, tag: int) -> None:
        """Its result is known, so an acknowledgement of "all up to a later tag" may include it."""
        self._beyond.add(tag)
        while self._through + 1 in self._beyond:
            self._through += 1
            self._beyond.remove(self._through)

    def take(self) -> list[tuple[int, bool]]:
        """(tag, whether it includes all before it): one frame up to the first unsettled tag, then one each."""
        waiting = sorted(self._waiting)
        self._waiting.clear()
        covered = bisect_right(waiting, self._through)
        return [(tag, covered > 1) for tag in waiting[:covered][-1:]] + [(tag, False) for tag in waiting[covered:]]


class Acknowledgements:
    """`most`: how many waiting acknowledgements are sent at once."""

    def __init__(self, channel: Channel, most: int) -> None:
        self.channel, self.most = channel, most
        self._tags = Tags()
        self._enough = asyncio.Event()
        self._is_gathering = False

    async def handled(self, tag: int) -> None:
        """Returns when it is sent, or when another call has taken it over."""
        self._tags.handled(tag)
        if self._tags.waiting >= self.most:
            self._enough.set()
        if self._is_gathering:
            return
        self._is_gathering = True
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                await self._enough.wait()
        await self.flush()

    async def rejected(self, tag: int) -> None:
        """Returns it to the queue. Not by nack: RabbitMQ 4.3 counts only a reject against the delivery limit."""
        await self.channel.basic_reject(tag, requeue=True)
        self._tags.settled(tag)

    async def flush(self) -> None:
        """Sends what waits. A lost channel is not an error: the messages come again."""
        self._is_gathering = False
        self._enough.clear()
        with suppress(MessagingError):
            async with answered("acknowledging", TIMEOUT_S):
                frames = self._tags.take()
                for number, (tag, is_multiple) in enumerate(frames, 1):  # waits for the last one alone: one packet
                    await self.channel.basic_ack(tag, multiple=is_multiple, wait=number == len(frames))
