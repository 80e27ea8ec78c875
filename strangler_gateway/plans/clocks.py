"""The clocks of plans, handed in so that simulated hours take seconds; and whether the wall clock can be believed."""

import time
from typing import Protocol

DISTRUST_S = 600.0
"""For so long after a jump no window is believed."""
MOST_DRIFT_S = 2.0
"""Between two looks; more is a jump."""


class PlanClock(Protocol):
    """Two clocks: one for people, which may jump, and one for durations, which does not."""

    def wall(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since any moment."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since any moment."""
        return time.monotonic()


class ClockWatch:
    """Compares the two clocks at every look."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self._jumped_at: float | None = None

    def is_steady(self, wall: float, monotonic: float) -> bool:
        """Whether the wall clock has gone on as fast as the other one for a while."""
        if self._last is not None:
            before, then = self._last
            if abs((wall - before) - (monotonic - then)) > MOST_DRIFT_S:
                self._jumped_at = monotonic
        self._last = wall, monotonic
        return self._jumped_at is None or monotonic - self._jumped_at >= DISTRUST_S
