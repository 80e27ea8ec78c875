"""What is known of how an instance does: its recent answers, and whether it is left out."""

from math import inf
from typing import Final

from strangler_gateway.table.rules.balance import EjectRules
from strangler_gateway.upstream.health.outliers import Recent, out_for_s

HALF_WINDOW_S: Final = 5.0
_WELL_S: Final = 30.0
"""An instance that has been back for less than this has not shown that it is well: its slow start takes a while."""


class InstanceHealth:
    """Counts for one instance; `turn` lets the window go on. Failures: no answer, or one with 502, 503 or 504."""

    __slots__ = (
        "_before",
        "_failed_before",
        "_failed_checks",
        "back_at",
        "ejections",
        "errors",
        "fails_checks",
        "failures",
        "in_a_row",
        "out_until",
        "recent_failures",
        "refused_in_a_row",
        "requests",
        "times",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        """Of the window's current half."""
        self._before = Recent()
        self.recent_failures = 0
        """In the whole window: they weigh like calls under way, so that who fails fast does not attract all calls."""
        self._failed_before = 0
        self.failures = 0
        """In all."""
        self.ejections = 0
        """In all."""
        self.in_a_row = 0
        self.refused_in_a_row = 0
        """Connections that did not come about."""
        self.times = 0
        """Ejections without having been well for as long as the last one took, and half a minute at least."""
        self.back_at = -inf
        self.out_until = -inf
        self.fails_checks = False
        self._failed_checks = 0
        """In a row."""

    @property
    def recent(self) -> Recent:
        """Within the window."""
        return self._before + Recent(self.requests, self.errors)

    def answered(self, status: int) -> bool:
        """Counts an answer; false if it makes the instance suspect."""
        self.requests += 1
        if status < 500:
            self.in_a_row = self.refused_in_a_row = 0
            return True
        if 502 <= status <= 504:
            self._fail()
        else:
            self.errors += 1
            self.in_a_row = self.refused_in_a_row = 0
        return False

    def failed(self, refused: bool = False) -> None:
        """Counts that no answer came; `refused`: not even a connection."""
        self.requests += 1
        self.refused_in_a_row = self.refused_in_a_row + 1 if refused else 0
        self._fail()

    def checked(self, well: bool, failures: int) -> None:
        """A check has ended; `failures`: so many in a row leave it out, 0: none do."""
        if well:
            self._failed_checks = self.refused_in_a_row = 0
            self.fails_checks = False
            return
        self._failed_checks += 1
        self.fails_checks = self.fails_checks or 0 < failures <= self._failed_checks

    def _fail(self) -> None:
        self.errors += 1
        self.failures += 1
        self.recent_failures += 1
        self.in_a_row += 1

    def is_well(self, rules: EjectRules) -> bool:
        """It accepts connections and passes its checks, as far as is known."""
        return not self.fails_checks and not self.is_unreachable(rules)

    def is_unreachable(self, rules: EjectRules) -> bool:
        """Asking it is in vain."""
        return 0 < rules.failures <= self.refused_in_a_row

    def eject(self, now: float, rules: EjectRules) -> None:
        """Leaves it out; longer each time, unless it has been well for a while, and for as long as it was out."""
        last = out_for_s(self.times, rules) if self.times else 0.0
        self.times = self.times + 1 if now - self.back_at < max(last, _WELL_S) else 1
        self.out_until = self.back_at = now + out_for_s(self.times, rules)

    def forget(self) -> None:
        """It is asked again: what it did before counts no more, but that its next failure may be one in a row."""
        self._before = Recent()
        self.requests = self.errors = self.recent_failures = self._failed_before = 0

    def turn(self) -> None:
        """Half a window has passed."""
        now_before = self.recent_failures - self._failed_before
        self._before = Recent(self.requests, self.errors)
        self.recent_failures = self._failed_before = now_before
        self.requests = self.errors = 0
