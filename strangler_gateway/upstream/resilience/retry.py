"""When a request may be sent again (gateway.md C6; RFC 9110 §9.2.2). Pure: the clock is an argument."""

from collections import deque
from typing import Final

RETRYABLE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS"))
SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
_WINDOW_S: Final = 10.0
_MAX_KILLERS = 1000


class RetryBudget:
    """Retries stay below a part of the recent requests, plus a floor, so that they never multiply an outage."""

    def __init__(self, part: float = 0.2, floor: int = 10) -> None:
        self._part, self._floor = part, floor
        self._requests = 0
        self._retries: deque[float] = deque()
        self._since = 0.0
        self._before = 0

    def request(self, now: float) -> None:
        """Counts a request."""
        if now - self._since > _WINDOW_S:
            self._before, self._requests, self._since = self._requests, 0, now
        self._requests += 1

    def spend(self, now: float) -> bool:
        """Takes one retry, if there is one left."""
        while self._retries and now - self._retries[0] > _WINDOW_S:
            self._retries.popleft()
        if len(self._retries) >= self._floor + self._part * (self._requests + self._before):
            return False
        self._retries.append(now)
        return True

    def state(self, now: float) -> tuple[int, int]:
        """(retries of the last seconds, how many there may be)."""
        while self._retries and now - self._retries[0] > _WINDOW_S:
            self._retries.popleft()
        return len(self._retries), int(self._floor + self._part * (self._requests + self._before))


class ConnectionKillers:
    """Requests that ended an upstream connection lately: sent again, they may end the next process too."""

    def __init__(self) -> None:
        self._seen: dict[tuple[bytes, bytes], float] = {}

    def recent(self, method: bytes, target: bytes, now: float) -> bool:
        """Whether this request is one of them."""
        last = self._seen.get((method, target))
        return last is not None and now - last < _WINDOW_S

    def note(self, method: bytes, target: bytes, now: float) -> bool:
        """Records that this request's connection was lost; true if the same had happened within the window."""
        seen = self.recent(method, target, now)
        self._seen.pop((method, target), None)
        self._seen[method, target] = now
        if len(self._seen) > _MAX_KILLERS:
            del self._seen[next(iter(self._seen))]
        return seen
