"""What all gateways have counted altogether, for people: the sum of those that answer, and which do not.

Decisions need more than that: migration/shared_counts.py.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.peers import PeerAway, Peers
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.telemetry.drained import add, told
from strangler_gateway.telemetry.stats import Stats

_ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)

Answer = Mapping[str, Any]


class Differences(Protocol):
    """What shadow kept."""

    def of(self, route_id: str) -> Sequence[Mapping[str, object]]:
        """Of a route, the latest first."""
        ...


@dataclass(frozen=True, slots=True)
class Total:
    """`stats.since`: from when on all who answered have counted; `silent`: of each other gateway, a sentence."""

    stats: Stats
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """`refresh` returns when `stats` has what every process of this gateway has counted. `peers` None: it is alone."""

    stats: Stats
    examples: Differences
    refresh: Callable[[], Awaitable[None]]
    members: Members | None = None
    peers: Peers | None = None

    async def of(self, *, users: bool = False) -> Total:
        """Of all gateways; `users`: how many there were, too."""
        mine, (answers, silent) = await self.row(users), await self._asked("totals", {"users": users})
        if not answers:
            return Total(self.stats, tuple(silent))
        total = Stats(self.stats.wall)
        total.since = total.started = 0.0
        for name, row in ((None, mine), *answers.items()):
            try:
                add(Stats(), row["counted"])  # all of it, or nothing
                add(total, row["counted"])
                total.since, total.started = max(total.since, row["since"]), max(total.started, row["started"])
            except _ODD as exc:
                silent.append(f"the counters of {name} cannot be read: {type(exc).__name__} {exc}")
        return Total(total, tuple(silent))

    async def own(self) -> Total:
        """Of this gateway alone."""
        await self.refresh()
        return Total(self.stats)

    async def row(self, users: bool) -> dict[str, Any]:
        """This gateway's part of the sum."""
        await self.refresh()
        return {"since": self.stats.since, "started": self.stats.started, "counted": told(self.stats, users)}

    async def differences(self, route: str) -> tuple[list[Answer], tuple[str, ...]]:
        """The kinds of difference that shadow has seen on any gateway, the latest first; and who is silent."""
        mine, (answers, silent) = await self.own_differences(route), await self._asked("differences", {"route": route})
        every = [{**one, "route": route} for one in mine]
        for name, answer in answers.items():
            try:
                found = [{**one, "route": route} for one in answer["differences"]]
                Examples().restore(found)  # it may be anything
            except _ODD as exc:
                silent.append(f"the differences of {name} cannot be read: {type(exc).__name__} {exc}")
            else:
                every += found
        return (_merged(route, every) if answers else mine), tuple(silent)

    async def own_differences(self, route: str) -> list[Answer]:
        """Those that this gateway has seen."""
        await self.refresh()
        return list(self.examples.of(route))

    async def _asked(self, call: str, question: Answer) -> tuple[dict[str, Answer], list[str]]:
        if self.peers is None or self.members is None:
            return {}, []
        answers = await self.peers.ask_all(self.members.others, call, question)
        heard = {name: one for name, one in answers.items() if not isinstance(one, PeerAway)}
        return heard, [self.peers.silent(name, one) for name, one in answers.items() if isinstance(one, PeerAway)]


def _merged(route: str, every: Iterable[Answer]) -> list[Answer]:
    """One example of each kind."""
    merged = Examples()
    merged.restore(sorted(every, key=lambda one: float(one["at"])))
    return list(merged.of(route))
