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

    def put(self, waiter: Waiter, now: float) -> bool:
        """Whether it may wait; false if the queue is full."""
        if not self._came:
            self._is_overloaded = False
        if len(self._came) >= self.most:
            return False
        self._came[waiter] = now, self._turns
        return True

    def take(self, now: float) -> Waiter | None:
        """Who goes next, if anybody waits."""
        if not self._came:
            return None
        self._turns += 1
        if self.oldest_s(now) > self.wait_s / 2:
            self._is_overloaded = True
        return self._came.popitem(last=self._is_overloaded and self._turns % _TURN_OF_THE_OLDEST != 0)[0]

    def remove(self, waiter: Waiter) -> bool:
        """Its client has gone; false if it did not wait."""
        return self._came.pop(waiter, None) is not None

    def overdue(self, now: float) -> Iterator[Waiter]:
        """Takes out those that have waited for too long, or in vain."""
        while self._came and (self.oldest_s(now) >= self.wait_s or self._too_many_wait(now)):
            yield self._came.popitem(last=False)[0]

    def _too_many_wait(self, now: float) -> bool:
        """Whether not all can go before the oldest one's time is over."""
        if not self._is_overloaded:
            return False
        since, turns = next(iter(self._came.values()))
        waited_s, gone = now - since, self._turns - turns
        return gone >= _A_PACE and len(self._came) * waited_s > gone * (self.wait_s - waited_s)

    def oldest_s(self, now: float) -> float:
        """How long the oldest has waited; 0 if nobody waits."""
        return now - next(iter(self._came.values()))[0] if self._came else 0.0
