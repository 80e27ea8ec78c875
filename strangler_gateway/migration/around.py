"""What stands around one controller: the processes of its gateway, and the gateways that act as one with it."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from strangler_gateway.cluster.store import EmbeddedStore, GroupStore
from strangler_gateway.migration.controller.rollbacks import AskDriver, nobody_else
from strangler_gateway.migration.guards.sentinel import CountAgain, FailureSource
from strangler_gateway.migration.replica import NobodyElse, OtherGateways
from strangler_gateway.migration.rules.shared_counts import CountSource


async def _served_at_once() -> tuple[str, ...]:
    return ()


async def _counted_here() -> None:
    pass


def _nobody_counts(routes: Mapping[str, Sequence[str]]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class OwnProcesses:
    """Of this gateway. As it stands there is one: it has swapped the table, and its counters are complete."""

    acknowledged: Callable[[], Awaitable[tuple[str, ...]]] = _served_at_once
    """Returns when every process serves the table, with a note for each that did not in time."""
    refresh: Callable[[], Awaitable[None]] = _counted_here
    """Returns when `stats` has what every process has counted."""
    count_again: CountAgain = _nobody_counts
    """Tells every process whose users who have failed count again."""


@dataclass(frozen=True, slots=True)
class SharedControl:
    """What the gateways that act as one share. As it stands this one is alone."""

    store: GroupStore = field(default_factory=EmbeddedStore)
    members: OtherGateways = field(default_factory=NobodyElse)
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    """Names this process in its rollbacks."""
    counts: CountSource | None = None
    """The sums over all gateways; None: of this one."""
    failures: FailureSource | None = None
    """Of all gateways; None: of this one."""
    ask_driver: AskDriver = nobody_else
    """Has a rollback made by who holds the lease."""
