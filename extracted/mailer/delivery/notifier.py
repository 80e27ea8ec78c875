"""Wake-ups for senders: one here at once, else one elsewhere. Any may be lost: senders look by themselves."""

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
    """Implements the port Notifier. `wake_here`: an idle sender of this process looks at once; False: none is idle."""

    def __init__(self, broker: Publisher, clock: Callable[[], datetime], wake_here: Callable[[], bool]) -> None:
        self._broker = broker
        self._clock = clock
        self._wake_here = wake_here
        self._is_asked = asyncio.Event()

    def wake(self, count: int) -> None:
        """Never waits: messages are published by `run`, one at a time, so that a burst is a few of them."""
        if not all(self._wake_here() for _ in range(min(count, AT_ONCE))):
            self._is_asked.set()

    async def handle(self, _delivery: Delivery) -> None:
        """Whatever the message is: looking once more does no harm."""
        self._wake_here()

    async def run(self) -> None:
        """Publishes until cancelled; what is refused or away is dropped.

        Without an expiry: at RabbitMQ what expires becomes a dead letter. The queue's bound does.
        """
        while True:
            await self._is_asked.wait()
            self._is_asked.clear()
            wake = messages.wake(self._clock())
            with suppress(MessagingError, TimeoutError):
                await self._broker.publish(messages.WAKE_EXCHANGE, wake, persistent=False, timeout_s=PUBLISH_TIMEOUT_S)
