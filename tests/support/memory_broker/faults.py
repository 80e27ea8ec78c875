"""What goes wrong in the broker in memory: at random from a seed, or once on demand."""

import random
from collections import deque
from enum import Enum


class Fault(Enum):
    """Of one publish."""

    DROP = "confirmed, and lost"
    DUPLICATE = "there twice"
    DELAY = "delivered late"
    REORDER = "overtakes another"
    REFUSE = "PublishRefused"
    UNAVAILABLE = "BrokerUnavailable, and nowhere"
    UNCONFIRMED = "BrokerUnavailable, yet there"


class Faults:
    """`shares`: how many of all publishes have that fault (0 to 1); the same seed gives the same faults."""

    def __init__(self, shares: dict[Fault, float] | None = None, *, seed: int = 0) -> None:
        self.shares = dict(shares or {})
        self.random = random.Random(seed)  # tests alone
        self._once: deque[frozenset[Fault]] = deque()

    def once(self, *faults: Fault) -> None:
        """The next publish has these alone; called twice, the one after next as well."""
        self._once.append(frozenset(faults))

    def drawn(self) -> frozenset[Fault]:
        """Of the next publish."""
        if self._once:
            return self._once.popleft()
        return frozenset(fault for fault, share in self.shares.items() if self.random.random() < share)
