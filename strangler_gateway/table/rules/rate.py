"""Rates as routes.yaml writes them (`100/minute`, `5 per 10 seconds`), and the windows that they make."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_RATE = re.compile(
    r"\s*([0-9]{1,15})\s*(?:/|per)(?:\s*([0-9]{1,9}))?\s*(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE
)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 30 * 86400, "year": 360 * 86400}
_MOST = 1_000_000_000
_LONGEST_S = 10 * 360 * 86400


class Rate(NamedTuple):
    """At most `amount` requests in a window of `window_s` seconds."""

    amount: int
    window_s: int


class Window(NamedTuple):
    """`capacity` requests at once, and up to `refill` more after each `period_us` microseconds.

    A period begins with a request that finds the window full.
    """

    capacity: int
    refill: int
    period_us: int


def parse_rate(text: str) -> Rate:
    """Raises ValueError with what was seen and wanted."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f'rate "{text[:40]}" cannot be read; wanted one like "100/minute"')
    rate = Rate(int(found[1]), int(found[2] or 1) * _SECONDS[found[3].lower()])
    if not all(rate):
        raise ValueError(f'rate "{text[:40]}" allows no request; remove the limit, or allow at least one')
    if rate.amount > _MOST or rate.window_s > _LONGEST_S:
        raise ValueError(f'rate "{text[:40]}" is too large; wanted at most {_MOST} requests, and at most 10 years')
    return rate


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Several, with commas between, the shortest window first. Raises ValueError."""
    return tuple(sorted(map(parse_rate, text.split(",")), key=lambda rate: rate.window_s))


def windows_of(rates: Iterable[Rate], burst: int | None) -> tuple[Window, ...]:
    """`rates`: the shortest window first, which `burst` changes: so many requests may come at once.

    A burst below the amount spreads the rate: 100/minute with a burst of 5 allows 5 every 3 seconds.
    """
    first, *others = [Window(rate.amount, rate.amount, rate.window_s * 1_000_000) for rate in rates]
    if burst is not None:
        least = min(burst, first.refill)
        first = Window(burst, least, -(-first.period_us * least // first.refill))
    return (first, *others)
