"""What counters answer, and the one rule by which all of them count. Pure."""

from collections.abc import Sequence

from strangler_gateway.table.rules.rate import Window


class Count:
    """`wait_us`: 0 where the request may pass; else microseconds until the caller may try again.

    `left`, by window: how many requests may still come, and microseconds until there are more.
    """

    __slots__ = ("left", "wait_us")

    def __init__(self, wait_us: int, left: Sequence[tuple[int, int]]) -> None:
        self.wait_us = wait_us
        self.left = left


def fresh(windows: Sequence[Window]) -> list[int]:
    """The state of a caller who was not seen before: by window, requests left, and when there are more."""
    state: list[int] = []
    for window in windows:
        state += (window.capacity, 0)
    return state


def take(windows: Sequence[Window], state: list[int], now_us: int) -> int:
    """Takes one request from each window, or from none; changes `state`. Gives the wait in microseconds, 0 for none."""
    wait_us = at = 0
    for capacity, refill, period_us in windows:
        left, more_at = state[at], state[at + 1]
        if now_us >= more_at:
            periods = (now_us - more_at) // period_us + 1
            left += periods * refill
            if left >= capacity:
                left, more_at = capacity, now_us + period_us
            else:
                more_at += periods * period_us
            state[at], state[at + 1] = left, more_at
        if left == 0 and more_at - now_us > wait_us:
            wait_us = more_at - now_us
        at += 2
    if wait_us == 0:
        for place in range(0, at, 2):
            state[place] -= 1
    return wait_us
