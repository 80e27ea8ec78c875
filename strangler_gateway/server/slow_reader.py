"""Tells a client that reads slowly from one that no longer reads."""

from math import inf

STALL_S = 300.0
LOOK_S = 2.0
"""So often it is looked at."""


class SlowReader:
    """One per connection."""

    __slots__ = ("_stalls_at", "_unsent")

    def __init__(self) -> None:
        self._unsent: float = inf
        self._stalls_at: float = inf

    def watch(self) -> None:
        """The client is slow from now on."""
        self._unsent = inf

    def has_stalled(self, unsent: int, now: float) -> bool:
        """`unsent`: bytes that the client has not taken; true if it took none of them for a long time."""
        if unsent != self._unsent:
            self._unsent = float(unsent)
            self._stalls_at = now + STALL_S
        return self._stalls_at < now
