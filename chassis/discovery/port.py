"""An instance of a service, and the port of whatever knows where they are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instance:
    """One process that serves. `id` is unique within its service; `unix`: a socket in place of host and port."""

    id: str
    host: str
    port: int
    unix: str | None = None


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """`answered`: at least once. `problem`: why the last known instances may be out of date; None: they are fresh.

    `since`: the Unix time from which on this holds.
    """

    answered: bool = False
    problem: str | None = None
    since: float = 0.0


class InstanceWatch(Protocol):
    """Gives the instances of one service that may be called: all of them, each time that they change.

    It never ends and never fails: while nobody answers, the instances that it gave last stay as they are.
    """

    @property
    def status(self) -> WatchStatus: ...

    def __aiter__(self) -> AsyncIterator[tuple[Instance, ...]]: ...


def located(host: str, port: int) -> Instance:
    """Known by where it is, which is what distinguishes instances whoever found them."""
    return Instance(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", host, port)
