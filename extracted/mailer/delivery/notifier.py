"""Wakes a sender for a new mail: here, else in another process. A lost wake-up only delays: senders poll, too."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from chassis.messaging.port import Delivery, MessagingError, Publisher
from extracted.mailer import messages

PUBLISH_TIMEOUT_S: Final = 2.0
AT_ONCE: Final = 100


class SenderNotifier:
    """Implements Notifier. `wake_here` wakes an idle sender of this process; False: none is idle."""

    def __init__(self, broker: Publisher, clock: Callable[[], datetime], wake_here: Callable[[], bool]) -> None:
        self._broker = broker
        self._clock = clock
        self._wake_here = wake_here
        self._is_asked = asyncio.Event()

    def wake(self, count: int) -> None:
        """Never waits. `run` publishes one message at a time, so that a burst makes a few messages."""
        if not all(self._wake_here() for _ in range(min(count, AT_ONCE))):
            self._is_asked.set()

    async def handle(self, _delivery: Delivery) -> None:
        """Wakes a sender here, whatever the message is."""
        self._wake_here()

    async def run(self) -> None:
        """Publishes until cancelled; drops a message that cannot be published.

        Sets no expiry, as RabbitMQ makes a dead letter of an expired message; the queue is bounded instead.
        """
        while True:
            await self._is_asked.wait()
            self._is_asked.clear()
            wake = messages.wake(self._clock())
            with suppress(MessagingError, TimeoutError):
                await self._broker.publish(messages.WAKE_EXCHANGE, wake, persistent=False, timeout_s=PUBLISH_TIMEOUT_S)
