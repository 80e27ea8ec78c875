"""The limit of one route as its counters and its clients know it. Pure."""

from collections.abc import Sequence

from strangler_gateway.limits.counters import Count
from strangler_gateway.table.routes import RateLimit
from strangler_gateway.table.rules.rate import Rate


class QuotaPolicy:
    """`prefix` comes before a caller's key: other rates, or another way to tell callers apart, begin anew.

    `numbers`: the windows as text.
    """

    __slots__ = ("_policies", "_remaining", "numbers", "prefix", "rule", "windows")

    def __init__(self, route_id: str, rule: RateLimit) -> None:
        self.rule = rule
        self.windows = rule.windows
        said = ",".join(f"{rate.amount}/{rate.window_s}" for rate in rule.rates)
        self.prefix = f"{route_id}|{said}|{rule.burst or ''}|{rule.by}|".encode()
        self.numbers = b" ".join([b"%d %d %d" % window for window in rule.windows])
        names = [f'"{route_id}-{rate.window_s}s"'.encode() for rate in rule.rates]
        self._policies = b"RateLimit-Policy", b", ".join(_items(names, rule.rates, rule.burst))
        self._remaining = b", ".join([name.replace(b"%", b"%%") + b";r=%d;t=%d" for name in names])

    def fields(self, count: Count) -> tuple[tuple[bytes, bytes], ...]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11 §3, §4)."""
        said = self._remaining % tuple([number for left, us in count.left for number in (left, -(-us // 1_000_000))])
        return (b"RateLimit", said), self._policies


def _items(names: Sequence[bytes], rates: Sequence[Rate], burst: int | None) -> list[bytes]:
    """The burst belongs to the shortest window; a parameter of our own has our name (§3.1)."""
    items = [b"%b;q=%d;w=%d" % (name, *rate) for name, rate in zip(names, rates, strict=True)]
    if burst is not None:
        items[0] += b";strangler-burst=%d" % burst
    return items
