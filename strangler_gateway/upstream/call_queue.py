"""Calls that wait for a place at a service: bounded in number and time. Pure: the clock is an argument.

First come, first served, as long as the queue is young. Once the oldest has waited for half of what it may, the service
is overloaded, and the newest goes first: it is answered while its client still waits, and those that nobody could
answer in time end by their time bound (adaptive LIFO: Maurer, "Fail at Scale", ACM Queue 13.8, 2015). Every eighth turn
is the oldest's all the same: where a burst alone has made the queue old, it becomes young again, and nobody starves.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

Waiter = TypeVar("Waiter")
_TURN_OF_THE_OLDEST: Final = 8


class CallQueue(Generic[Waiter]):
    """At most `most` waiters, each for at most `wait_s`."""

    def __init__(self, most: int, wait_s: float) -> None:
        self.most, self.wait_s = most, wait_s
        self._turns = 0
        self._since: OrderedDict[Waiter, float] = OrderedDict()
        """The oldest first."""

    def __len__(self) -> int:
        return len(self._since)

    def put(self, waiter: Waiter, now: float) -> bool:
        """Whether it may wait; false if the queue is full."""
        if len(self._since) >= self.most:
            return False
        self._since[waiter] = now
        return True

    def take(self, now: float) -> Waiter | None:
        """Who goes next, if anybody waits."""
        if not self._since:
            return None
        self._turns += 1
        is_overloaded = self.oldest_s(now) > self.wait_s / 2
        return self._since.popitem(last=is_overloaded and self._turns % _TURN_OF_THE_OLDEST != 0)[0]

    def remove(self, waiter: Waiter) -> bool:
        """Its client has gone; false if it did not wait."""
        return self._since.pop(waiter, None) is not None

    def overdue(self, now: float) -> Iterator[Waiter]:
        """Takes out those that have waited for too long."""
        while self._since and self.oldest_s(now) >= self.wait_s:
            yield self._since.popitem(last=False)[0]

    def oldest_s(self, now: float) -> float:
        """How long the oldest has waited; 0 if nobody waits."""
        return now - next(iter(self._since.values())) if self._since else 0.0
