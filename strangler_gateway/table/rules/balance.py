"""How requests are spread over the instances of a service: immutable values of routes.yaml."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EjectRules:
    """When an instance is left out for a while. None of it concerns a service with one instance."""

    failures: int = 5
    """So many in a row; 0: never."""
    rate: float = 0.5
    """This part of the recent requests; 0: never."""
    out_s: float = 10.0
    """How long, the first time."""
    max_part: float = 0.5
    """At most this part of the instances at once, besides those that accept no connection."""


@dataclass(frozen=True, slots=True)
class BalanceRules:
    """`slow_start_s`: so long a new instance takes to get its whole part."""

    slow_start_s: float = 10.0
    eject: EjectRules = EjectRules()
