"""Step: the rate limit that a route was given in routes.yaml; none unless written, and the same on both sides."""

import ipaddress
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from strangler_gateway.exchange import Exchange, Outcome, Reply
from strangler_gateway.routes import RateLimit

if TYPE_CHECKING:
    from strangler_gateway.pipeline import Gateway

MAX_KEYS = 50_000


def parse_rate(text: str) -> RateLimitItem:
    """`100/minute`, `5 per 10 seconds`. Raises ValueError with what was seen and wanted."""
    try:
        item = parse(text)
    except ValueError:
        raise ValueError(f'rate "{text[:40]}" cannot be read; wanted one like "100/minute"') from None
    if item.amount < 1 or item.get_expiry() < 1:
        raise ValueError(f'rate "{text[:40]}" lets nothing pass; leave the limit out, or allow at least one')
    return item


class BoundedMemory(Storage):
    """Counters in memory, each for one window. Full, it forgets the one whose window began first."""

    STORAGE_SCHEME = None

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self._size = size
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here can fail."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Counts one more; the first of a window starts it."""
        now = self._clock()
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + expiry
            self._make_room(key)
        self._counts[key] = (count + amount, until)
        return count + amount

    def _make_room(self, key: str) -> None:
        self._counts.pop(key, None)
        if len(self._counts) >= self._size:
            del self._counts[next(iter(self._counts))]

    def get(self, key: str) -> int:
        """The count of the running window."""
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends."""
        return self._counts.get(key, (0, self._clock()))[1]

    def check(self) -> bool:
        """Always there."""
        return True

    def reset(self) -> int:
        """Forgets all counters, and tells how many."""
        n = len(self._counts)
        self._counts.clear()
        return n

    def clear(self, key: str) -> None:
        """Forgets one counter."""
        self._counts.pop(key, None)


class Limiter:
    """Counts requests per route and caller, in fixed windows that start with a caller's first request."""

    def __init__(self, size: int = MAX_KEYS, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows = FixedWindowRateLimiter(BoundedMemory(size, clock))
        self._rates: dict[str, RateLimitItem] = {}

    def over(self, route_id: str, rule: RateLimit, key: str) -> int | None:
        """None when the request may pass; else the seconds until the caller may try again."""
        rate = self._rates.get(rule.rate)
        if rate is None:
            rate = self._rates[rule.rate] = parse_rate(rule.rate)
        if self._windows.hit(rate, route_id, key):
            return None
        ends = self._windows.get_window_stats(rate, route_id, key).reset_time
        return max(1, math.ceil(ends - self._clock()))


def limit(gateway: "Gateway", x: Exchange) -> Outcome:
    """Answers 429 with Retry-After to a caller who is over the route's rate."""
    rule = x.route.limit
    if rule is None:
        return None
    wait_s = gateway.limiter.over(x.route.id, rule, _key(rule, x))
    if wait_s is None:
        return None
    retry_after = (b"Retry-After", b"%d" % wait_s)
    return Reply(429, "http_request_denied", f"Too many requests; the limit is {rule.rate}.", (retry_after,))


def _key(rule: RateLimit, x: Exchange) -> str:
    if rule.by == "user" and x.identity is not None and x.identity.subject is not None:
        return f"user:{x.identity.subject}"
    return f"address:{network_of(x.client)}"


def network_of(address: str) -> str:
    """The address itself; of IPv6 its /64, which one household has whole."""
    if ":" not in address:
        return address
    try:
        packed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(packed.ipv4_mapped or ipaddress.IPv6Network((int(packed) >> 64 << 64, 64)))
