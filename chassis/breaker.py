"""A circuit breaker: it stops calls to another side after too many failures in a row, and lets one test it later.

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


class Breaker:
    """Closed, open, or half-open: then one caller probes whether the other side is back."""

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
        """Nothing was asked: another caller may probe."""
        self._is_probed = False

    def succeeded(self) -> None:
        """The other side has answered, whatever it said."""
        self._failures, self._open_s, self._until, self._is_probed = 0, 0.0, None, False

    def failed(self, now: float) -> None:
        """Failures of what was under way when it opened do not prolong it."""
        self._failures += 1
        if self._until is not None and now < self._until:
            return
        if self._failures >= self._breaker_limits.failures:
            self._open_s = min(max(self._open_s * 2, self._breaker_limits.first_s), self._breaker_limits.longest_s)
            self._until, self._is_probed = now + self._open_s, False
