"""Until when the answer of a request is waited for, as the gateway says it: what nobody waits for is not begun.

The gateway sends `Strangler-Timeout-Ms`: how long it still waits. The deadline belongs to the request's task, and ends
with the first byte of the answer. Work that has begun goes on to its end, with its waits bounded: half of it would be
worse than all of it.
"""

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from math import inf
from typing import Final

FIELD: Final = b"strangler-timeout-ms"
_MOST_DIGITS: Final = 9


class DeadlinePassed(Exception):
    """Nobody waits for the answer any more, and no work for it has begun."""


class Deadline:
    """`at`: seconds of the monotonic clock; `is_gone`: whether the client has left."""

    __slots__ = ("_clock", "at", "begun", "is_gone")

    def __init__(
        self, at: float, is_gone: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.at, self.is_gone, self._clock = at, is_gone, clock
        self.begun = False
        """The request has met a store or another service."""

    def check(self) -> None:
        """Raises DeadlinePassed, unless the work has begun."""
        if self.begun:
            return
        if self.is_gone():
            raise DeadlinePassed("the client has gone")
        if self._clock() >= self.at:
            raise DeadlinePassed("the deadline has passed")

    def left_s(self) -> float:
        """At least a millisecond: a limit of zero is no limit to most."""
        return max(self.at - self._clock(), 0.001)


current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def timeout_s(fields: Iterable[tuple[bytes, bytes]]) -> float | None:
    """What the field says; None without one that can be read."""
    values = [value.strip() for name, value in fields if name.lower() == FIELD]
    if len(values) != 1 or not values[0].isdigit() or len(values[0]) > _MOST_DIGITS:
        return None
    return int(values[0]) / 1000


def check() -> None:
    """Before a wait for a place to work. Raises DeadlinePassed."""
    if (deadline := current.get()) is not None:
        deadline.check()


def begin() -> None:
    """The work begins now, if somebody waits for it. Raises DeadlinePassed."""
    if (deadline := current.get()) is not None:
        deadline.check()
        deadline.begun = True


def left_s() -> float:
    """How long the answer is still waited for; inf without a deadline."""
    deadline = current.get()
    return inf if deadline is None or deadline.at == inf else deadline.left_s()


def within(seconds: float) -> float:
    """A time limit, or what is left until the deadline if that is less."""
    return min(seconds, left_s())


def field_for(seconds: float) -> dict[str, str]:
    """The field for a call to another service that is waited for this long at most."""
    return {FIELD.decode(): str(max(int(within(seconds) * 1000), 1))}
