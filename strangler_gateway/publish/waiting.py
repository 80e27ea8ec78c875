"""Requests that wait for a consumer's outcome, by the message that they became."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chassis.messaging.envelope import Envelope

MAX_WAITING = 1_000


class TooManyWaiting(Exception):
    """There is no place to wait."""


@dataclass(frozen=True, slots=True)
class ConsumerOutcome:
    """What a consumer answered: the outcome word, and the texts of its reply by their names."""

    word: str
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Waiter:
    request_id: str | None
    outcome: asyncio.Future[ConsumerOutcome]


class WaitingRequests:
    """Several may wait for the same message; each is told what belongs to its own body, told apart by request id."""

    def __init__(self, bound: int = MAX_WAITING) -> None:
        self._bound = bound
        self._waiters: dict[str, list[_Waiter]] = {}
        self.count = 0

    @contextmanager
    def place(self, envelope: Envelope) -> Iterator[asyncio.Future[ConsumerOutcome]]:
        """Where the outcome will come in. Raises TooManyWaiting."""
        if self.count >= self._bound:
            raise TooManyWaiting
        waiter = _Waiter(envelope.request_id, asyncio.get_running_loop().create_future())
        self._waiters.setdefault(envelope.id, []).append(waiter)
        self.count += 1
        try:
            yield waiter.outcome
        finally:
            self.count -= 1
            self._leave(envelope.id, waiter)

    def _leave(self, message_id: str, waiter: _Waiter) -> None:
        waiter.outcome.cancel()
        left = [one for one in self._waiters[message_id] if one is not waiter]
        if left:
            self._waiters[message_id] = left
        else:
            del self._waiters[message_id]

    def tell(self, reply: Envelope, outcome: ConsumerOutcome) -> bool:
        """False: nobody waits for it (any more)."""
        waiters = self._waiters.get(reply.causation_id or "", ())
        meant = [one for one in waiters if reply.request_id in (None, one.request_id) and not one.outcome.done()]
        for one in meant:
            one.outcome.set_result(outcome)
        return bool(meant)
