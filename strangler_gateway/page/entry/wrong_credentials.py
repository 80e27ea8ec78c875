"""How often somebody may give a wrong credential."""

from collections import OrderedDict, deque
from collections.abc import Callable

MAX_ADDRESSES = 1000
PER_ADDRESS, OF_ALL, WITHIN_S = 10, 100, 60.0


class WrongCredentials:
    """Counts failures in the last minute: of each address, and of all."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: deque[float] = deque()
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """0: another one is allowed now."""
        mine = self._by_address.get(address, deque())
        return max(self._left(mine, PER_ADDRESS), self._left(self._all, OF_ALL))

    def failed(self, address: str) -> None:
        """One more."""
        now, mine = self._clock(), self._by_address.setdefault(address, deque())
        self._by_address.move_to_end(address)
        mine.append(now)
        self._all.append(now)
        while len(self._by_address) > MAX_ADDRESSES:
            self._by_address.popitem(last=False)

    def _left(self, failures: deque[float], allowed: int) -> float:
        now = self._clock()
        while failures and now - failures[0] > WITHIN_S:
            failures.popleft()
        return WITHIN_S - (now - failures[0]) if len(failures) >= allowed else 0.0
