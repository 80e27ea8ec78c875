"""Rate limit and circuit breaker for one provider, shared by all senders of a process.

It never waits: it returns how long to wait. Times are seconds of a monotonic clock.
"""

from chassis.breaker import BREAKER_LIMITS, Breaker, BreakerLimits

__all__ = ["BREAKER_LIMITS", "BreakerLimits", "RateBucket", "Throttle"]


class RateBucket:
    """At most one each `1 / rate_per_s` seconds; None: no limit."""

    def __init__(self, rate_per_s: float | None) -> None:
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._next = float("-inf")

    def take(self, now: float) -> float:
        """0: go on; else the seconds until the next one is free."""
        next_at = max(self._next, now)
        wait_s = next_at - now
        if wait_s > 0:
            return wait_s
        self._next = next_at + self._interval_s
        return 0.0

    def put_back(self) -> None:
        """Returns one that was not used."""
        self._next -= self._interval_s


class Throttle:
    """A sender calls `admit` before it claims a mail, then `unused`, `reached` or `missed`."""

    def __init__(self, rate_per_s: float | None = None, breaker_limits: BreakerLimits = BREAKER_LIMITS) -> None:
        self._bucket = RateBucket(rate_per_s)
        self._breaker = Breaker(breaker_limits)

    @property
    def is_open(self) -> bool:
        """The provider counts as down: only a probe may claim a mail."""
        return self._breaker.is_open

    def admit(self, now: float) -> float:
        """0: claim one mail; else the seconds until asking again."""
        wait_s = self._breaker.ask(now)
        if wait_s > 0:
            return wait_s
        wait_s = self._bucket.take(now)
        if wait_s > 0:
            self._breaker.put_back()
        return wait_s

    def unused(self) -> None:
        """There was no mail, or it was not sent."""
        self._breaker.put_back()
        self._bucket.put_back()

    def reached(self) -> None:
        """The provider has answered."""
        self._breaker.succeeded()

    def missed(self, now: float) -> None:
        """The provider was not there, or did not answer."""
        self._breaker.failed(now)
