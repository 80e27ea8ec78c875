"""Rate limit and circuit breaker for one provider, shared by all senders of a process.

It never waits: it returns how long to wait. Times are seconds of a monotonic clock.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Opens after `failures` in a row, for `first_s`; each failed probe doubles that, up to `longest_s`."""

    failures: int = 5
    first_s: float = 5.0
    longest_s: float = 60.0


BREAKER_LIMITS: Final = BreakerLimits()


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


class Breaker:
    """Closed, open, or half-open: then one sender probes whether the provider is back."""

    def __init__(self, breaker_limits: BreakerLimits = BREAKER_LIMITS) -> None:
        self._breaker_limits = breaker_limits
        self._failures = 0
        self._open_s = 0.0
        self._until: float | None = None
        self._is_probed = False

    @property
    def is_open(self) -> bool:
        """True while it is probed, too."""
        return self._until is not None

    def ask(self, now: float) -> float:
        """0: go on (as the probe, where it is open); else the seconds until asking again."""
        if self._until is None:
            return 0.0
        if now < self._until:
            return self._until - now
        if self._is_probed:
            return self._breaker_limits.first_s
        self._is_probed = True
        return 0.0

    def put_back(self) -> None:
        """Nothing was sent: another sender may probe."""
        self._is_probed = False

    def succeeded(self) -> None:
        """The provider has answered, whatever it said."""
        self._failures, self._open_s, self._until, self._is_probed = 0, 0.0, None, False

    def failed(self, now: float) -> None:
        """Failures of what was under way when it opened do not prolong it."""
        self._failures += 1
        if self._until is not None and now < self._until:
            return
        if self._failures >= self._breaker_limits.failures:
            self._open_s = min(max(self._open_s * 2, self._breaker_limits.first_s), self._breaker_limits.longest_s)
            self._until, self._is_probed = now + self._open_s, False


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
