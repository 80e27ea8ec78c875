"""Rates as routes.yaml writes them: `100/minute`, `5 per 10 seconds`."""

import re
from typing import NamedTuple

_RATE = re.compile(
    r"\s*([0-9]{1,15})\s*(?:/|per)(?:\s*([0-9]{1,9}))?\s*(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE
)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 30 * 86400, "year": 360 * 86400}


class Rate(NamedTuple):
    """At most `amount` requests in a window of `window_s` seconds."""

    amount: int
    window_s: int


def parse_rate(text: str) -> Rate:
    """Raises ValueError with what was seen and wanted."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f'rate "{text[:40]}" cannot be read; wanted one like "100/minute"')
    rate = Rate(int(found[1]), int(found[2] or 1) * _SECONDS[found[3].lower()])
    if not all(rate):
        raise ValueError(f'rate "{text[:40]}" allows no request; remove the limit, or allow at least one')
    return rate
