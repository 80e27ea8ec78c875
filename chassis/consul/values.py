"""What Consul holds, as values, and how a call to it fails."""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

MAX_OPERATIONS = 64
"""In one transaction; Consul refuses more."""
MAX_VALUE = 512 * 1024
"""Bytes of a key's value; Consul refuses more."""


class ConsulFailed(Exception):
    """A call had no result."""


class ConsulAway(ConsulFailed):
    """Consul cannot be reached, has no leader, or answers too late. Whether a write was done is unknown."""


class ConsulRefused(ConsulFailed):
    """Consul answers that it will not do this (403: the ACL token may not; 413: too large; 400: not understood)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Indexed(Generic[T]):
    """A value, and the index to wait behind; 0: it cannot be waited for."""

    value: T
    index: int


@dataclass(frozen=True, slots=True)
class ServiceInstance:
    """An instance of a service as the catalog has it. `host`: its own address, else its node's.

    `passing`: all its checks pass, and its node's; of what an agent lists nothing is known of them.
    """

    id: str
    service: str
    host: str
    port: int
    tags: frozenset[str] = frozenset()
    passing: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Check:
    """How the agent finds out that an instance is healthy: GET of `url` answers 2xx; None: its port opens."""

    url: str | None = None
    interval_s: float = 5
    timeout_s: float = 2
    deregister_after_s: float = 60
    """After this long in a row without success the agent deregisters it; Consul takes a minute at least."""


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key. `modify_index` is what check-and-set compares; `session`: who holds its lock."""

    key: str
    value: bytes
    modify_index: int
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a transaction, in Consul's words; all are done, or none.

    `cas` and `delete-cas` need `index` (0: only if the key is missing), `lock`, `unlock` and `check-session` need
    `session`, `check-index` needs `index`.
    """

    verb: Literal["set", "cas", "lock", "unlock", "get", "delete", "delete-cas", "check-index", "check-session"]
    key: str
    value: bytes | None = None
    index: int | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class KeyTransaction:
    """What became of one: `keys` that it wrote or read; or, if it was not done, why, for each failed operation."""

    done: bool
    keys: tuple[KeyValue, ...] = ()
    reasons: tuple[str, ...] = ()


def next_index(previous: int | None, seen: int) -> int | None:
    """What to wait behind after `seen`. None: ask anew, since a restored or wiped server counts from below again."""
    return None if seen < 1 or (previous is not None and seen < previous) else seen
