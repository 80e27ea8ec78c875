"""What the admin port shows of a gateway, beside its migration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from joserfc.jwk import KeySet

from strangler_gateway.admin.gateways import GatewayTokens
from strangler_gateway.joined import Joined
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.migration.rules.shared_counts import SharedCounts
from strangler_gateway.overview.history import History
from strangler_gateway.overview.totals import Differences
from strangler_gateway.plans.plans import Plans
from strangler_gateway.recording.record import Recorder
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.discovery import DiscoveredServices


class Keys(Protocol):
    """The keys of the internal tokens."""

    @property
    def keys(self) -> KeySet:
        """The first one signs."""
        ...

    def jwks(self) -> Mapping[str, Any]:
        """A JSON Web Key Set (RFC 7517)."""
        ...


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What the admin API shows and changes, beside the migration."""

    settings: Settings
    stats: Stats
    keys: Keys
    examples: Differences
    recorder: Recorder
    is_ready: Callable[[], bool]
    limits: Callable[[], LimiterStatus]
    instances: Callable[[], Sequence[InstanceStatus]]
    discovered: DiscoveredServices
    turns: Callable[[], str | None] = lambda: None
    """Why Redis can give no turns (`serialize`), or None."""
    bulkheads: Callable[[], Sequence[BulkheadStatus]] = list
    """Of services that have had a request."""
    tokens: GatewayTokens | None = None
    joined: Joined | None = None
    """What makes this gateway one of several; None: it is alone."""
    counts: SharedCounts | None = None
    plans: Plans | None = None
    """None: nothing drives plans here."""
    history: History = field(default_factory=History)
    name: str = "gateway"
    """Of this gateway, in what it signs."""
