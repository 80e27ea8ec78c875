"""Account's word that a reward is paid, for the request that has earned it.

The monolith's users find their points as soon as a submission is answered. So the request waits for that word, but
never for long: with Account away it is answered without it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from chassis.messaging.port import Broker, Delivery, MessagingError

log = structlog.get_logger("learning.rewards")

EXCHANGE: Final = "learning.replies"


@dataclass(frozen=True, slots=True, eq=False)
class PaymentWait:
    """`reply_to`: what the message to Account carries; None: nobody listens yet."""

    reward_id: str
    reply_to: str | None
    patience_s: float
    paid: asyncio.Event = field(default_factory=asyncio.Event)

    async def over(self) -> None:
        """Returns when Account has paid, or when the patience is over."""
        if self.reply_to is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.paid.wait(), self.patience_s)


class PaymentReplies:
    """One a process. `patience_s`: how long a request waits at most; 0: none does."""

    def __init__(self, broker: Broker, patience_s: float) -> None:
        self._broker, self._patience_s = broker, patience_s
        self._reply_to: str | None = None
        self._waits: set[PaymentWait] = set()

    async def listen(self) -> None:
        """From now on requests wait. Returns even if the broker is away."""
        if self._patience_s:
            try:
                self._reply_to = await self._broker.replies(EXCHANGE, self._heard)
            except MessagingError as error:
                log.warning("payments_are_not_awaited", reason=str(error))

    @contextmanager
    def expected(self, reward_id: str) -> Iterator[PaymentWait]:
        """Listens for this payment until the context ends. Two successes at once share a reward."""
        wait = PaymentWait(reward_id, self._reply_to, self._patience_s)
        self._waits.add(wait)
        try:
            yield wait
        finally:
            self._waits.discard(wait)

    async def _heard(self, delivery: Delivery) -> None:
        """Raises MessageInvalid, which loses the reply."""
        reward_id = delivery.envelope().body.get("rewardId")
        for wait in self._waits:
            if wait.reward_id == reward_id:
                wait.paid.set()
