"""Counters in this process: bounded, the same for every caller."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from math import inf
from typing import Final

from strangler_gateway.limits.counters import Count, fresh, take
from strangler_gateway.table.rules.rate import Window

MAX_CALLERS: Final = 50_000
_LOOKED_AT: Final = 16


class MemoryCounters:
    """`now`: monotonic seconds; `size`: callers that are known at the same time."""

    def __init__(self, now: Callable[[], float], size: int = MAX_CALLERS) -> None:
        self._now, self._size = now, size
        self._callers: OrderedDict[bytes, list[int]] = OrderedDict()
        self.forgotten = 0
        """Callers that had to make room for others."""

    def take(self, windows: Sequence[Window], key: bytes) -> Count:
        """Counts one request of the caller `key`, which names the windows too."""
        clock = self._now
        now_us = int(clock() * 1e6)
        state = self._callers.get(key)
        if state is None:
            if len(self._callers) >= self._size:
                self._make_room(now_us)
            state = self._callers[key] = fresh(windows)
        wait_us = take(windows, state, now_us)
        if len(state) == 2:
            return Count(wait_us, ((state[0], state[1] - now_us),))
        return Count(wait_us, [(state[at], state[at + 1] - now_us) for at in range(0, len(state), 2)])

    def _make_room(self, now_us: int) -> None:
        """Of the few who came first, forgets the one who can spare it most: of a flood of made-up callers, one of them.

        The others count as just come: the next time it looks at others.
        """
        callers = self._callers
        looked_at = list(islice(callers, _LOOKED_AT))
        forgotten = max(looked_at, key=lambda key: _spare(callers[key], now_us))
        for key in looked_at:
            callers.move_to_end(key)
        del callers[forgotten]
        self.forgotten += 1


def _spare(state: list[int], now_us: int) -> float:
    """How many requests the caller has left; inf where a new window would begin."""
    left = [state[at] for at in range(0, len(state), 2) if state[at + 1] > now_us]
    return min(left, default=inf)
