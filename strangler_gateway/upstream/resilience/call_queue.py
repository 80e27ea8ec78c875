"""Calls that wait for a place at a service: bounded in number and time. Pure: the clock is an argument.

First come, first served, as long as the queue is young. Once the oldest has waited for half of what it may, the service
is overloaded, and until nobody waits the newest goes first: it is answered while its client still waits (adaptive LIFO:
Maurer, "Fail at Scale", ACM Queue 13.8, 2015). Every eighth turn is the oldest's all the same: where a burst alone has
made the queue old, it becomes young again, and nobody starves.

In an overload those are told at once for whom there is no hope: at the pace of its own time in the queue, more wait
than can go before the oldest one's time is over, even if nobody came any more.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

Waiter = TypeVar("Waiter")
_TURN_OF_THE_OLDEST: Final = 8
_A_PACE: Final = 16
"""So many must have gone while one waited to tell how fast that is."""


class CallQueue(Generic[Waiter]):
    """At most `most` waiters, each for at most `wait_s`."""

    def __init__(self, most: int, wait_s: float) -> None:
        self.most, self.wait_s = most, wait_s
        self._turns = 0
        self._is_overloaded = False
        self._came: OrderedDict[Waiter, tuple[float, int]] = OrderedDict()
        """When, and how many had gone by then; the oldest first."""

    def __len__(self) -> int:
        return len(self._came)

    @property
    def is_full(self) -> bool:
        """Nobody else may wait."""
        return len(self._came) >= self.most

    def put(self, waiter: Waiter, now: float) -> bool:
        """Whether it may wait; false if the queue is full."""
        came = self._came
        if not came:
            self._is_overloaded = False
        if len(came) >= self.most:
            return False
        came[waiter] = now, self._turns
        return True

    def take(self, now: float) -> Waiter | None:
        """Who goes next, if anybody waits."""
        return next(self.turn(now, 1), None)

    def turn(self, now: float, most: int) -> Iterator[Waiter]:
        """Who goes at this moment, one after the other, `most` at most."""
        came = self._came
        if not self._is_overloaded and self.oldest_s(now) > self.wait_s / 2:
            self._is_overloaded = True  # who goes makes it no older: one look is enough
        while came and most > 0:
            most -= 1
            self._turns += 1
            yield came.popitem(last=self._is_overloaded and self._turns % _TURN_OF_THE_OLDEST != 0)[0]

    def remove(self, waiter: Waiter) -> bool:
        """Its client has gone; false if it did not wait."""
        return self._came.pop(waiter, None) is not None

    def overdue(self, now: float) -> Iterator[Waiter]:
        """Takes out those that have waited for too long, or in vain."""
        came, wait_s = self._came, self.wait_s
        while came:
            since, turns = next(iter(came.values()))
            waited_s = now - since
            if waited_s < wait_s and not (self._is_overloaded and self._too_many_wait(waited_s, self._turns - turns)):
                return
            yield came.popitem(last=False)[0]

    def _too_many_wait(self, waited_s: float, gone: int) -> bool:
        """Whether not all can go before the time of the oldest one is over; so many have gone since it came."""
        return gone >= _A_PACE and len(self._came) * waited_s > gone * (self.wait_s - waited_s)

    def oldest_s(self, now: float) -> float:
        """How long the oldest has waited; 0 if nobody waits."""
        return now - next(iter(self._came.values()))[0] if self._came else 0.0
