"""Step: which side takes the request, and why."""

from collections.abc import Callable
from typing import Final

from strangler_gateway.exchange.decision import STATE_SHADOW, choose
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.recording.record import Recorder
from strangler_gateway.shadow.shadow import Shadow
from strangler_gateway.steps.anonymous import anonymous_key
from strangler_gateway.table.bucket import BUCKETS, key_hash
from strangler_gateway.table.routes import MigrationState, Service, Side
from strangler_gateway.upstream.resilience.retry import SAFE
from strangler_gateway.upstream.upstreams import Upstreams

# Python 3.11 looks an enum member up in Python; on every request that is more than deciding costs.
_CANARY: Final = MigrationState.CANARY
_SERVICE: Final = Side.EXTRACTED


class Decide:
    """Sets key_hash, bucket, decision, and service, publish or aggregate; tap where it is compared or recorded."""

    def __init__(
        self, upstreams: Upstreams, shadow: Shadow, recorder: Recorder, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._upstreams, self._shadow, self._recorder, self._random_bytes = upstreams, shadow, recorder, random_bytes

    def run(self, exchange: Exchange) -> Outcome:
        """Never waits; ends a preflight of a route that publishes or aggregates."""
        route, fail_over = exchange.route, False
        movable = route.movable
        in_canary = movable.state is _CANARY
        if (in_canary or movable.kept_back) and not exchange.identity_unavailable and route.has_new_end:
            self._draw(exchange)
            fail_over = in_canary and route.extracted is not None and self._fails_over(exchange.method, route.extracted)
        decision = choose(route, exchange.bucket, exchange.override, exchange.identity_unavailable, fail_over)
        exchange.decision = decision
        if decision.side is _SERVICE:
            if route.extracted is None:
                return _own_end(exchange)
            exchange.service = route.extracted
            return None
        exchange.service = route.legacy
        if decision is STATE_SHADOW:
            exchange.tap = self._shadow.tap(exchange)
        if self._recorder.recording is not None:
            self._recorder.recording.tap(exchange)
        return None

    def _fails_over(self, method: bytes, service: Service) -> bool:
        return method in SAFE and self._upstreams.breaker_open(service)

    def _draw(self, exchange: Exchange) -> None:
        """Sets key_hash and bucket, unless there is nothing to draw by."""
        movable, identity = exchange.route.movable, exchange.identity
        if identity is not None and identity.subject is not None:
            key: bytes | None = identity.subject.encode("utf-8", "surrogatepass")
        elif movable.anonymous == "legacy":
            return
        else:
            key = anonymous_key(movable.anonymous, exchange, self._random_bytes)
        if key is not None:
            exchange.key_hash = drawn = key_hash(movable.salt, key)
            exchange.bucket = drawn % BUCKETS


def _own_end(exchange: Exchange) -> Outcome:
    """The new end is a message or an aggregate; a preflight, which carries no user, ends here."""
    route = exchange.route
    rules = route.publish or route.aggregate
    assert rules is not None  # else there is no new end
    exchange.publish, exchange.aggregate = route.publish, route.aggregate
    exchange.extra_fields += tuple([(name.encode(), value.encode()) for name, value in rules.headers])
    if exchange.method != b"OPTIONS":
        return None
    methods = sorted(route.methods or ())
    return Reply(204, "", "", ((b"Allow", b", ".join([*methods, b"OPTIONS"])),))
