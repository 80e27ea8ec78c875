"""What recurs is logged once in a while for each subject, with how often it came."""

import logging
import time
from collections.abc import Callable

from chassis.auth.claims import IdentityUnavailable
from chassis.messaging.port import MessagingError
from strangler_gateway.exchange.errors import UpstreamError

EVERY_S = 10.0
MAX_SUBJECTS = 1_000
OTHERS = "others"
"""The subject of all that come while there are MAX_SUBJECTS already."""
_EXPECTED = (IdentityUnavailable, UpstreamError, MessagingError, TimeoutError)
log = logging.getLogger(__name__)


class SubjectThrottle:
    """A subject is told at once, then not for ten seconds: at most 1,001 lines in ten seconds, whatever happens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet: dict[str, _Quiet] = {}
        """By subject; who was told first comes first."""

    def told(self, subject: str) -> tuple[str, int] | None:
        """The subject to tell now, and how often it came untold since the last time; None: not now."""
        clock, quiet = self._clock, self._quiet
        now = clock()
        if subject not in quiet and len(quiet) >= MAX_SUBJECTS:
            self._forget(now)
            subject = OTHERS if len(quiet) >= MAX_SUBJECTS else subject
        known = quiet.get(subject)
        if known is not None and now < known.until:
            known.untold += 1
            return None
        quiet.pop(subject, None)
        quiet[subject] = _Quiet(now + EVERY_S)
        return subject, known.untold if known is not None else 0

    def _forget(self, now: float) -> None:
        while self._quiet and self._quiet[first := next(iter(self._quiet))].until <= now:
            del self._quiet[first]


class _Quiet:
    """Until when a subject is not told, and how often it came meanwhile."""

    __slots__ = ("until", "untold")

    def __init__(self, until: float) -> None:
        self.until, self.untold = until, 0


class LogThrottle:
    """Errors that recur with every request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._throttle = SubjectThrottle(clock)

    def warn(self, subject: str, error: Exception) -> None:
        """A line for what can happen (somebody is away); the stack for a fault of ours or a plugin's."""
        told = self._throttle.told(subject)
        if told is None:
            return
        unexpected = None if isinstance(error, _EXPECTED) else error
        level = logging.ERROR if unexpected else logging.WARNING
        said = str(error) or type(error).__name__
        log.log(level, "%s: %s (%d times more since the last line)", told[0], said, told[1], exc_info=unexpected)
