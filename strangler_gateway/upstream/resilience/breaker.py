"""The circuit breaker of a service. Pure: the clock is an argument, in monotonic seconds.

Closed, it counts the calls of a sliding window. Open, it refuses calls. Then it is half-open: a few calls probe the
service. If all succeed it closes, and if one fails it opens again, for twice as long.
"""

from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import Final

from strangler_gateway.table.rules.resilience import BreakerRules

BUCKETS: Final = 10
"""The window moves on in tenths."""


class BreakerState(StrEnum):
    """As metrics and commands name it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


# Python 3.11 looks an enum member up in Python; every call asks for the state.
_CLOSED: Final = BreakerState.CLOSED
_OPEN: Final = BreakerState.OPEN
_HALF_OPEN: Final = BreakerState.HALF_OPEN
_Changed = Callable[[BreakerState, str], None]


class CallWindow:
    """The calls of the last seconds, in buckets: how many ended, failed, and were slow."""

    def __init__(self, window_s: float) -> None:
        self._bucket_s = window_s / BUCKETS
        self._rows: list[tuple[int, int, int]] = []
        """Full buckets, the oldest first."""
        self.until = -inf
        """From then on `move_on` comes before anything is counted."""
        self.calls = self._failed = self._slow = 0
        """Of the current bucket."""

    def add(self, failed: bool, slow: bool, now: float) -> None:
        """Counts a call."""
        if now >= self.until:
            self.move_on(now)
        self.calls += 1
        self._failed += failed
        self._slow += slow

    def totals(self, now: float) -> tuple[int, int, int]:
        """(calls, failed, slow) of the window."""
        if now >= self.until:
            self.move_on(now)
        rows = [*self._rows, (self.calls, self._failed, self._slow)]
        return sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows)

    def clear(self) -> None:
        """Forgets all calls."""
        self._rows.clear()
        self.calls = self._failed = self._slow = 0

    def move_on(self, now: float) -> None:
        """Begins another bucket."""
        passed = BUCKETS if self.until == -inf else 1 + int((now - self.until) / self._bucket_s)
        self._rows = [*self._rows, (self.calls, self._failed, self._slow), *[(0, 0, 0)] * min(passed - 1, BUCKETS)]
        del self._rows[: len(self._rows) - (BUCKETS - 1)]
        self.calls = self._failed = self._slow = 0
        self.until = now + self._bucket_s


class CircuitBreaker:
    """`admit` gives a call its ticket, or 0; each ticket comes back once: to `answered`, `failed` or `given_up`.

    A ticket of before the last change counts no more. `changed(state, what was seen and what happens next)` is called
    at each change.
    """

    def __init__(self, rules: BreakerRules, changed: _Changed = lambda *_: None) -> None:
        self.rules = rules
        self.state = _CLOSED
        self.opened = 0
        """How often it has opened."""
        self.open_until = -inf
        self._changed = changed
        self._window = CallWindow(rules.window_s)
        self._slow_s = rules.slow_s or inf
        self._ticket = 1
        self._open_s = rules.open_s
        self._in_a_row = 0
        self._probes = self._succeeded = 0
        self._probed_at = -inf

    def admits(self, now: float) -> bool:
        """Whether a call may go now."""
        if self.state is _CLOSED:
            return True
        if self.state is _OPEN:
            return now >= self.open_until
        return self._probes < self.rules.probes or now - self._probed_at >= self.rules.open_s

    def admit(self, now: float) -> int:
        """Lets a call go: its ticket; 0 if it may not. The first one after the open time makes it half-open."""
        if self.state is _CLOSED:
            return self._ticket
        if not self.admits(now):
            return 0
        if self.state is _OPEN:
            self._turn(_HALF_OPEN, f"{self._open_s:g} s have passed", self._probing())
        if self._probes >= self.rules.probes:
            self._probes = 0  # those before are still without an answer: others are asked
        self._probes += 1
        self._probed_at = now
        return self._ticket

    def answered(self, ticket: int, is_error: bool, seconds: float, now: float) -> None:
        """The service has answered, after so long. `is_error`: with a status that says that it does not work."""
        if ticket != self._ticket:
            return
        self._in_a_row = 0
        slow = seconds > self._slow_s
        if self.state is _CLOSED:
            window = self._window
            if is_error or slow:
                window.add(is_error, slow, now)
                self._judge(now)
            elif now >= window.until:
                window.add(False, False, now)
            else:
                window.calls += 1  # most calls end here
        elif is_error or slow:
            self._open(now, "a probe had a bad answer" if is_error else f"a probe took {seconds:.1f} s")
        else:
            self._success()

    def failed(self, ticket: int, connecting: bool, now: float) -> None:
        """The call got no answer. `connecting`: there was no connection."""
        if ticket != self._ticket:
            return
        self._in_a_row = self._in_a_row + 1 if connecting else 0
        if self.state is not _CLOSED:
            self._open(now, "a probe got no connection" if connecting else "a probe got no answer")
            return
        self._window.add(True, False, now)
        if self.rules.failures and self._in_a_row >= self.rules.failures:
            self._open(now, f"{self._in_a_row} connection failures in a row")
        else:
            self._judge(now)

    def given_up(self, ticket: int) -> None:
        """The call ended without telling anything of the service: its client has gone."""
        if ticket == self._ticket and self._probes:
            self._probes -= 1

    def shown(self, now: float) -> tuple[int, int, int]:
        """(calls, failed, slow) of the window."""
        return self._window.totals(now)

    def _judge(self, now: float) -> None:
        rules = self.rules
        calls, failed, slow = self._window.totals(now)
        if calls < rules.min:
            return
        if rules.errors and failed >= rules.errors * calls:
            self._open(now, f"{failed} of {calls} calls in {rules.window_s:g} s failed")
        elif rules.slow_s and slow >= rules.slow_calls * calls:
            self._open(now, f"{slow} of {calls} calls in {rules.window_s:g} s took longer than {rules.slow_s:g} s")

    def _open(self, now: float, seen: str) -> None:
        again = self.state is _HALF_OPEN
        self._open_s = min(self._open_s * 2, self.rules.longest_s) if again else self.rules.open_s
        self.open_until = now + self._open_s
        self.opened += 1
        self._turn(_OPEN, seen, f"no call for {self._open_s:g} s, then {self._probing()}")

    def _success(self) -> None:
        self._succeeded += 1
        self._probes = max(self._probes - 1, 0)
        if self._succeeded >= self.rules.probes:
            self._turn(_CLOSED, f"{self._succeeded} probes succeeded", "all calls go")

    def _turn(self, state: BreakerState, seen: str, then: str) -> None:
        self.state = state
        self._ticket += 1
        self._probes = self._succeeded = self._in_a_row = 0
        self._window.clear()
        self._changed(state, f"{seen}; {then}")

    def _probing(self) -> str:
        return (
            f"{self.rules.probes} calls at once as probes" if self.rules.probes > 1 else "one call at once as a probe"
        )
