"""What the gateway knows of the instances of services, as values that may be added up over processes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from chassis.service.metrics import Metric

InstanceState = Literal["in", "slow_start", "failing", "unreachable", "unchecked"]
"""slow_start: gets less than its part. Left out: failing (more than the others), unreachable, unchecked (not ready)."""
_LEFT_OUT = frozenset({"failing", "unreachable", "unchecked"})


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """Counters since the instance is known; `outstanding`: requests under way."""

    service: str
    instance: str
    state: InstanceState = "in"
    requests: int = 0
    failures: int = 0
    """Requests without a whole and valid answer."""
    ejections: int = 0
    outstanding: int = 0
    connections: int = 0

    @property
    def is_left_out(self) -> bool:
        """It gets no request, if another instance can take it."""
        return self.state in _LEFT_OUT

    def view(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self) | {"left_out": self.is_left_out}


def summed(parts: Iterable[InstanceStatus]) -> list[InstanceStatus]:
    """Of several processes: numbers add up; an instance is left out where one process leaves it out."""
    found: dict[tuple[str, str], InstanceStatus] = {}
    for part in parts:
        key = (part.service, part.instance)
        found[key] = _sum(found[key], part) if key in found else part
    return [*found.values()]


def _sum(one: InstanceStatus, other: InstanceStatus) -> InstanceStatus:
    worse = max(one, other, key=lambda each: (each.is_left_out, each.state != "in"))
    return replace(
        worse,
        requests=one.requests + other.requests,
        failures=one.failures + other.failures,
        ejections=one.ejections + other.ejections,
        outstanding=one.outstanding + other.outstanding,
        connections=one.connections + other.connections,
    )


def told(statuses: Iterable[InstanceStatus]) -> list[Mapping[str, Any]]:
    """For another process, which reads them with `heard`."""
    return [asdict(status) for status in statuses]


def heard(said: Iterable[Mapping[str, Any]]) -> list[InstanceStatus]:
    """What another process has told. Raises TypeError."""
    return [InstanceStatus(**one) for one in said]


_NUMBERS: Sequence[tuple[str, str, Literal["counter", "gauge"], str]] = (
    ("requests_total", "requests", "counter", "Requests sent to an instance, repeated ones too."),
    ("failures_total", "failures", "counter", "Requests that an instance gave no whole and valid answer to."),
    ("ejections_total", "ejections", "counter", "How often an instance was left out."),
    ("left_out", "is_left_out", "gauge", "1: the instance gets no request while others can take it."),
    ("outstanding", "outstanding", "gauge", "Requests under way at an instance."),
    ("connections", "connections", "gauge", "Open connections to an instance."),
)


def instance_metrics(statuses: Sequence[InstanceStatus]) -> Iterator[Metric]:
    """By service and address of the instance: Prometheus has a label `instance` of its own, the process it reads."""
    for name, field, kind, text in _NUMBERS:
        samples = [({"service": one.service, "address": one.instance}, int(getattr(one, field))) for one in statuses]
        yield Metric(f"strangler_upstream_{name}", kind, text, samples)
