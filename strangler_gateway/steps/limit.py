"""Step: the rate limit that a route was given in routes.yaml; none unless written, and the same on both sides."""

from collections.abc import Awaitable, Sequence

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Answer, Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.limits.caller import callers
from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.limiter import Counted, Limiter
from strangler_gateway.limits.quota_policy import QuotaPolicy
from strangler_gateway.table.routes import RateLimit, Route
from strangler_gateway.telemetry.stats import Stats

_UNAVAILABLE = Reply(
    503, "http_request_denied", "The rate limit cannot be checked at the moment.", ((b"Retry-After", b"5"),)
)


class Limit:
    """Answers 429 with Retry-After to a caller who is over the route's rate, and tells the others what is left."""

    def __init__(self, limiter: Limiter, stats: Stats) -> None:
        self._limiter, self._stats = limiter, stats
        self._policies: dict[str, QuotaPolicy] = {}

    def run(self, exchange: Exchange) -> Outcome:
        """Does nothing on a route without a limit, and for a preflight, which is nobody's (Fetch §4.8)."""
        route = exchange.route
        rule = route.limit
        if rule is None or (exchange.method == b"OPTIONS" and _is_preflight(exchange)):
            return None
        policy = self._policies.get(route.id)
        if policy is None or policy.rule is not rule:
            policy = self._learn(route, rule)
        keys = callers(exchange, rule.by)
        count = self._limiter.take(route.id, policy, keys[0])
        if len(keys) == 1 and (count is None or isinstance(count, Count)):
            return self._conclude(exchange, policy, count)
        return self._wait(exchange, policy, count, keys[1:])

    def _learn(self, route: Route, rule: RateLimit) -> QuotaPolicy:
        self._policies[route.id] = policy = QuotaPolicy(route.id, rule)
        return policy

    async def _wait(self, exchange: Exchange, policy: QuotaPolicy, count: Counted, more: Sequence[bytes]) -> Answer:
        """A request with several credentials counts for each of them, until one is over the limit."""
        counted = await count if isinstance(count, Awaitable) else count
        for key in more:
            if counted is None or counted.wait_us:
                break
            count = self._limiter.take(exchange.route.id, policy, key)
            counted = await count if isinstance(count, Awaitable) else count
        return self._conclude(exchange, policy, counted)

    def _conclude(self, exchange: Exchange, policy: QuotaPolicy, count: Count | None) -> Answer:
        """`count` None: nobody can count now, and the route is closed then."""
        if count is None:
            return _UNAVAILABLE
        exchange.extra_fields += policy.fields(count)
        if not count.wait_us:
            return None
        self._stats.route(exchange.route.id).limited += 1
        retry_after = (b"Retry-After", b"%d" % -(-count.wait_us // 1_000_000))
        message = f"Too many requests; the limit is {policy.rule.rate}."
        return Reply(429, "http_request_denied", message, (retry_after,))


def _is_preflight(exchange: Exchange) -> bool:
    return any(name.lower() == b"access-control-request-method" for name, _ in exchange.fields)
