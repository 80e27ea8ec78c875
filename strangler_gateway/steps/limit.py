"""Step: the rate limit that a route was given in routes.yaml; none unless written, and the same on both sides."""

import math
import time
from collections.abc import Callable

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.exchange.trust import network_of
from strangler_gateway.table.rate import Rate, parse_rate
from strangler_gateway.table.routes import RateLimit

MAX_KEYS = 50_000


Key = tuple[str, str, str]
"""Route id, user or address, and which."""


class Limiter:
    """Counts requests per route and caller, in fixed windows that start with a caller's first request.

    Full, it forgets the caller whose window began first.
    """

    def __init__(self, size: int = MAX_KEYS, clock: Callable[[], float] = time.time) -> None:
        self._size = size
        self._clock = clock
        self._windows: dict[Key, list[float]] = {}
        """[requests, end of the window]"""
        self._rates: dict[str, Rate] = {}

    def over(self, rule: RateLimit, key: Key) -> int | None:
        """None when the request may pass; else the seconds until the caller may try again."""
        amount, length_s = self._rates.get(rule.rate) or self._parsed(rule.rate)
        clock = self._clock
        now = clock()
        window = self._windows.get(key)
        if window is None or window[1] <= now:
            self._begin(key, now + length_s)
            return None
        if window[0] < amount:
            window[0] += 1
            return None
        return max(1, math.ceil(window[1] - now))

    def _begin(self, key: Key, end: float) -> None:
        windows = self._windows
        windows.pop(key, None)
        if len(windows) >= self._size:
            del windows[next(iter(windows))]
        windows[key] = [1, end]

    def _parsed(self, text: str) -> Rate:
        self._rates[text] = rate = parse_rate(text)
        return rate


class Limit:
    """Answers 429 with Retry-After to a caller who is over the route's rate."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def run(self, exchange: Exchange) -> Outcome:
        """Counts by user or by address, as the route says."""
        rule = exchange.route.limit
        if rule is None:
            return None
        identity = exchange.identity
        if rule.by == "user" and identity is not None and identity.subject is not None:
            key = exchange.route.id, "user", identity.subject
        else:
            key = exchange.route.id, "address", network_of(exchange.client)
        wait_s = self._limiter.over(rule, key)
        if wait_s is None:
            return None
        retry_after = (b"Retry-After", b"%d" % wait_s)
        return Reply(429, "http_request_denied", f"Too many requests; the limit is {rule.rate}.", (retry_after,))
