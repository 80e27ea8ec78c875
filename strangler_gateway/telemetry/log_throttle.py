"""Errors that recur with every request are logged once in a while, with how often they came."""

import logging
import time
from collections.abc import Callable

from chassis.auth.claims import IdentityUnavailable
from chassis.messaging.port import MessagingError
from strangler_gateway.exchange.errors import UpstreamError

EVERY_S = 10.0
MAX_SUBJECTS = 1_000
_EXPECTED = (IdentityUnavailable, UpstreamError, MessagingError, TimeoutError)
log = logging.getLogger(__name__)


class LogThrottle:
    """The first error of a subject is logged at once, then none for ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet: dict[str, tuple[float, int]] = {}

    def warn(self, subject: str, error: Exception) -> None:
        """A line for what can happen (somebody is away); the stack for a fault of ours or a plugin's."""
        now = self._clock()
        until, unsaid = self._quiet.get(subject, (now, 0))
        if now < until:
            self._quiet[subject] = (until, unsaid + 1)
            return
        if len(self._quiet) >= MAX_SUBJECTS:
            self._quiet.clear()
        self._quiet[subject] = (now + EVERY_S, 0)
        unexpected = None if isinstance(error, _EXPECTED) else error
        level = logging.ERROR if unexpected else logging.WARNING
        said = str(error) or type(error).__name__
        log.log(level, "%s: %s (%d times more since the last line)", subject, said, unsaid, exc_info=unexpected)
