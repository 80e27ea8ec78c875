"""Wake-ups for senders: one here at once, one elsewhere by a message. Both may be lost: senders look by themselves."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import MessagingError, Publisher
from extracted.mailer import messages

EXPIRES_S: Final = 5.0
PUBLISH_TIMEOUT_S: Final = 2.0


class WakeUps:
    """Implements the port Waking. `wake_one`: an idle sender of this process looks at once."""

    def __init__(self, broker: Publisher, clock: Callable[[], datetime], wake_one: Callable[[], None]) -> None:
        self._broker = broker
        self._clock = clock
        self._wake_one = wake_one
        self._is_asked = asyncio.Event()

    def wake(self, count: int) -> None:
        """Never waits: messages are published by `run`, one at a time, so that a burst is one or two of them."""
        for _ in range(min(count, 100)):
            self._wake_one()
        self._is_asked.set()

    async def handle(self, envelope: Envelope) -> None:
        """Another process has a new row, or this one. Raises MessageInvalid."""
        if envelope.type != messages.WAKE:
            raise MessageInvalid(f"{envelope.type} is no wake-up; wanted {messages.WAKE}")
        self._wake_one()

    async def run(self) -> None:
        """Publishes until cancelled; what is refused or away is dropped."""
        while True:
            await self._is_asked.wait()
            self._is_asked.clear()
            with suppress(MessagingError, TimeoutError):
                await self._publish(messages.wake(self._clock()))

    async def _publish(self, wake: Envelope) -> None:
        exchange, patience = messages.WAKE_EXCHANGE, PUBLISH_TIMEOUT_S
        await self._broker.publish(exchange, wake, persistent=False, expires_s=EXPIRES_S, timeout_s=patience)
