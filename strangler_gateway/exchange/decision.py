"""Which side takes a request, and why. Pure."""

from dataclasses import dataclass, field
from typing import Final

from strangler_gateway.table.bucket import BUCKETS
from strangler_gateway.table.routes import MigrationState, Route, Side


@dataclass(frozen=True, slots=True)
class Decision:
    """Which side takes the request, and why (a word that log, metrics and the debug header show)."""

    side: Side
    reason: str
    logged: bytes = field(init=False, compare=False, repr=False)
    """As it stands in a log line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "logged", b'"side":"%b","reason":"%b"' % (self.side.encode(), self.reason.encode()))


# Python 3.11 looks an enum member up in Python; on every request that is more than deciding costs.
_LEGACY: Final = MigrationState.LEGACY
_SHADOW: Final = MigrationState.SHADOW
_CANARY: Final = MigrationState.CANARY
_EXTRACTED: Final = MigrationState.EXTRACTED
_RETIRED: Final = MigrationState.RETIRED

_STATE_LEGACY: Final = Decision(Side.LEGACY, "state_legacy")
STATE_SHADOW: Final = Decision(Side.LEGACY, "state_shadow")
STATE_EXTRACTED: Final = Decision(Side.EXTRACTED, "state_extracted")
_STATE_RETIRED: Final = Decision(Side.EXTRACTED, "state_retired")
_NO_NEW_END: Final = Decision(Side.LEGACY, "no_new_end")
SHARE_IN: Final = Decision(Side.EXTRACTED, "share_in")
SHARE_OUT: Final = Decision(Side.LEGACY, "share_out")
_ANONYMOUS: Final = Decision(Side.LEGACY, "anonymous")
BREAKER_OPEN: Final = Decision(Side.LEGACY, "breaker_open")
_OVERRIDE = {side: Decision(side, "override") for side in Side}
IDENTITY_UNAVAILABLE = Decision(Side.LEGACY, "identity_unavailable")
NOBODY_CAN_TELL = Decision(Side.EXTRACTED, IDENTITY_UNAVAILABLE.reason)
"""The same where the monolith no longer owns the route."""
FAILED_OVER = Decision(Side.LEGACY, "failover")


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
    if not (route.extracted or route.publish or route.aggregate):
        return _NO_NEW_END
    if state is _RETIRED:
        return _STATE_RETIRED
    if override is not None:
        return _OVERRIDE[override]
    kept_back = route.movable.kept_back
    if state is _EXTRACTED:
        if not kept_back or bucket is None:
            return STATE_EXTRACTED
        return SHARE_OUT if bucket >= BUCKETS - kept_back else SHARE_IN
    if identity_unavailable:
        return IDENTITY_UNAVAILABLE
    if state is _SHADOW:
        return STATE_SHADOW
    if bucket is None:
        return _ANONYMOUS
    if bucket >= route.movable.share or (kept_back and bucket >= BUCKETS - kept_back):
        return SHARE_OUT
    return BREAKER_OPEN if fail_over else SHARE_IN
