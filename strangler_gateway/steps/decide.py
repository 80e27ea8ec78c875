"""Which side takes a request: `choose` and `bucket` are pure, `decide` is the step around them."""

from typing import TYPE_CHECKING

import mmh3

from strangler_gateway.exchange.exchange import Decision, Exchange, Outcome, Reply
from strangler_gateway.steps.anonymous import anonymous_key
from strangler_gateway.table.routes import MigrationState, Route, Service, Side
from strangler_gateway.upstream.retry import SAFE

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

BUCKETS = 10_000

# Python 3.11 looks an enum member up in Python; on every request that is more than deciding costs.
_LEGACY, _SHADOW, _CANARY, _EXTRACTED, _RETIRED = MigrationState
_SERVICE = Side.EXTRACTED

_STATE_LEGACY = Decision(Side.LEGACY, "state_legacy")
_STATE_SHADOW = Decision(Side.LEGACY, "state_shadow")
_STATE_EXTRACTED = Decision(Side.EXTRACTED, "state_extracted")
_STATE_RETIRED = Decision(Side.EXTRACTED, "state_retired")
_NO_NEW_END = Decision(Side.LEGACY, "no_new_end")
_SHARE_IN = Decision(Side.EXTRACTED, "share_in")
_SHARE_OUT = Decision(Side.LEGACY, "share_out")
_ANONYMOUS = Decision(Side.LEGACY, "anonymous")
_BREAKER_OPEN = Decision(Side.LEGACY, "breaker_open")
_OVERRIDE = {side: Decision(side, "override") for side in Side}
IDENTITY_UNAVAILABLE = Decision(Side.LEGACY, "identity_unavailable")


def bucket(salt: str, key: bytes) -> int:
    """0 … 9999: murmur3_32(salt:key), unsigned, mod 10000. A share of s basis points takes the buckets below s."""
    return mmh3.hash(salt.encode() + b":" + key, signed=False) % BUCKETS


def choose(
    route: Route,
    bucket: int | None,
    override: Side | None = None,
    identity_unavailable: bool = False,
    fail_over: bool = False,
) -> Decision:
    """The side and why. `bucket` None: nobody known. `fail_over`: the new end is down and the request is safe."""
    state = route.movable.state
    if state is _LEGACY:
        return _STATE_LEGACY
    if not (route.extracted or route.publish):
        return _NO_NEW_END
    if state is _RETIRED:
        return _STATE_RETIRED
    if override is not None:
        return _OVERRIDE[override]
    if state is _EXTRACTED:
        return _STATE_EXTRACTED
    if identity_unavailable:
        return IDENTITY_UNAVAILABLE
    if state is _SHADOW:
        return _STATE_SHADOW
    return _drawn(route.movable.share, bucket, fail_over)


def _drawn(share: int, bucket: int | None, fail_over: bool) -> Decision:
    if bucket is None:
        return _ANONYMOUS
    if bucket >= share:
        return _SHARE_OUT
    return _BREAKER_OPEN if fail_over else _SHARE_IN


def decide(gateway: "Gateway", x: Exchange) -> Outcome:
    """Sets x.bucket, x.decision, x.service or x.publish, and x.tap where the request is compared or recorded."""
    route = x.route
    state = route.movable.state
    fail_over = False
    if state is _CANARY and (route.extracted or route.publish) and not x.identity_unavailable:
        x.bucket = _bucket(gateway, x)
        fail_over = route.extracted is not None and _fails_over(gateway, x.method, route.extracted)
    x.decision = decision = choose(route, x.bucket, x.override, x.identity_unavailable, fail_over)
    if decision.side is _SERVICE:
        if route.extracted is None:
            return _publishes(x)
        x.service = route.extracted
        return None
    x.service = route.legacy
    if decision is _STATE_SHADOW:
        x.tap = gateway.shadow.tap(gateway, x)
    if gateway.recording is not None:
        gateway.recording.tap(x)
    return None


def _publishes(x: Exchange) -> Outcome:
    """The new end is a message; a preflight, which carries no user, ends here."""
    x.publish = rules = x.route.publish
    assert rules is not None  # else there is no new end
    x.extra_fields += [(name.encode(), value.encode()) for name, value in rules.headers]
    if x.method != b"OPTIONS":
        return None
    methods = sorted(x.route.methods or ())
    return Reply(204, "", "", ((b"Allow", b", ".join([*methods, b"OPTIONS"])),))


def _fails_over(gateway: "Gateway", method: bytes, service: Service) -> bool:
    return service.breaker_failures > 0 and method in SAFE and gateway.upstreams.breaker_open(service)


def _bucket(gateway: "Gateway", x: Exchange) -> int | None:
    unit, identity = x.route.movable, x.identity
    if identity is not None and identity.subject is not None:
        return bucket(unit.salt, identity.subject.encode("utf-8", "surrogatepass"))
    if unit.anonymous == "legacy":
        return None
    key = anonymous_key(unit.anonymous, x, gateway.random_bytes)
    return None if key is None else bucket(unit.salt, key)
