"""Spans of requests and messages of a service. Off costs nothing: then no tracer is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from chassis.tracing.opening import open_tracer
from chassis.tracing.port import Kind, Tracer


class _Installed:
    """The tracer of this process, as a service's code finds it: requests and messages have no place to carry it."""

    tracer: Tracer | None = None


def is_on() -> bool:
    """Whether this process traces."""
    return _Installed.tracer is not None


def passed_on() -> str | None:
    """The traceparent of what this process does now, for calls and messages. None: nothing is traced."""
    bound = structlog.contextvars.get_contextvars().get("traceparent") if is_on() else None
    return bound if isinstance(bound, str) else None


@contextmanager
def installed(service: str) -> Iterator[None]:
    """Traces what `span` covers while it lasts. Raises SettingsInvalid."""
    tracer = _Installed.tracer = open_tracer(service)
    try:
        yield
    finally:
        _Installed.tracer = None
        if tracer is not None:
            tracer.close()


@dataclass(slots=True)
class Covered:
    """What `span` covers. `traceparent`: to pass on. `attributes` are told at the end; `failed`: it ended badly."""

    traceparent: str | None
    attributes: dict[str, str | int | float | bool] = field(default_factory=dict)
    failed: bool = False


@contextmanager
def span(name: str, kind: Kind, parent: str | None) -> Iterator[Covered]:
    """A span around a block, whose traceparent log lines have meanwhile; without a tracer nothing but `parent`.

    An exception that leaves the block marks it as failed.
    """
    tracer = _Installed.tracer
    if tracer is None:
        yield Covered(parent)
        return
    begun = tracer.start(name, kind, parent)
    covered = Covered(begun.traceparent)
    try:
        with structlog.contextvars.bound_contextvars(traceparent=begun.traceparent):
            yield covered
    except BaseException:
        covered.failed = True
        raise
    finally:
        begun.end(covered.attributes, failed=covered.failed)
