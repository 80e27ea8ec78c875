"""What protects the gateway from a sick upstream, and an upstream from too much: values of routes.yaml."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When the breaker of a service opens, and how it closes again. A condition that is 0 does not count."""

    failures: int = 0
    """Connection failures in a row."""
    errors: float = 0.5
    """The part of the calls of the window that failed: 0 … 1."""
    slow_s: float = 0.0
    """A call is slow whose response takes longer to begin."""
    slow_calls: float = 0.5
    """The part of the calls of the window that were slow."""
    min: int = 100
    """Calls in the window before a part counts."""
    window_s: float = 10.0
    open_s: float = 5.0
    """How long it stays open at first; each failed probe doubles that."""
    longest_s: float = 60.0
    probes: int = 3
    """Half-open: calls that may be under way at once, and that must succeed before it closes."""

    @property
    def watches(self) -> bool:
        """Whether anything can open it."""
        return bool(self.failures or self.errors or self.slow_s)


@dataclass(frozen=True, slots=True)
class QueueRules:
    """Where requests wait once a service has as many as it may have at once. None: the default."""

    max: int | None = None
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class RetryRules:
    """At most this part of the recent requests, and `floor` in ten seconds on top, are sent a second time."""

    budget: float = 0.2
    floor: int = 10


NO_BREAKER = BreakerRules(errors=0.0)
