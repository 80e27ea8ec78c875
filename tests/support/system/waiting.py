"""Waits for a condition with a deadline."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.05


def until(holds: Callable[[], T], what: str, within_s: float = 60, poll_s: float = POLL_S) -> T:
    """Returns the condition's value when it is true; fails with `what` when time is up."""
    deadline = monotonic() + within_s
    while not (found := holds()):
        if monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s} s")
        sleep(poll_s)
    return found
