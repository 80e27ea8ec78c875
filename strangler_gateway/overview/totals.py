"""What all gateways have counted altogether, for people: the sum of those that answer, and which do not.

Decisions need more than that: migration/rules/shared_counts.py.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.peers import PeerAway, Peers
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.telemetry.drained import add, told
from strangler_gateway.telemetry.stats import Stats

_ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
OWN = ""
"""The name under which this gateway's counters are given."""

Answer = Mapping[str, Any]


class Differences(Protocol):
    """What shadow kept."""

    def of(self, route_id: str) -> Sequence[Mapping[str, object]]:
        """Of a route, the latest first."""
        ...


class _Heard(NamedTuple):
    """Of another gateway: its answer, and the counters that were read from it."""

    answer: Answer
    stats: Stats


@dataclass(frozen=True)
class CountedByGateway:
    """What each gateway that answers has counted. `silent`: of each other gateway, a sentence."""

    own: Stats
    others: Mapping[str, _Heard] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    users: bool = False
    """Whether the sum has sketches of users."""

    @property
    def by_gateway(self) -> Mapping[str, Stats]:
        """By name; this one's as OWN."""
        return {OWN: self.own, **{name: one.stats for name, one in self.others.items()}}

    @cached_property
    def total(self) -> Stats:
        """The sum. `since`: from when on all of them have counted."""
        if not self.others:
            return self.own
        total = Stats(self.own.wall)
        total.since, total.started = self.own.since, self.own.started
        add(total, told(self.own, users=self.users))
        for answer, _ in self.others.values():
            add(total, answer["counted"])
            total.since, total.started = max(total.since, answer["since"]), max(total.started, answer["started"])
        return total


@dataclass(frozen=True, slots=True)
class Totals:
    """`refresh` returns when `stats` has what every process of this gateway has counted. `peers` None: it is alone."""

    stats: Stats
    examples: Differences
    refresh: Callable[[], Awaitable[None]]
    members: Members | None = None
    peers: Peers | None = None

    @property
    def others(self) -> int:
        """How many gateways there are beside this one."""
        return len(self.members.others) if self.members is not None else 0

    async def of(self, *, users: bool = False, durations: bool = False) -> CountedByGateway:
        """Of all gateways, asked now; `users`: how many there were, too; `durations`: with their histograms."""
        answers, silent = await self._asked("totals", {"users": users, "durations": durations})
        await self.refresh()
        heard = {}
        for name, answer in answers.items():
            try:
                heard[name] = _read(answer)
            except _ODD as exc:
                silent.append(f"the counters of {name} cannot be read: {type(exc).__name__} {exc}")
        return CountedByGateway(self.stats, heard, tuple(silent), users)

    async def own(self) -> CountedByGateway:
        """Of this gateway alone."""
        await self.refresh()
        return CountedByGateway(self.stats)

    async def row(self, *, users: bool, durations: bool) -> dict[str, Any]:
        """This gateway's part of the sum."""
        await self.refresh()
        counted = told(self.stats, users=users, durations=durations)
        return {"since": self.stats.since, "started": self.stats.started, "counted": counted}

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


def _read(answer: Answer) -> _Heard:
    """All of it, or one of _ODD."""
    stats = Stats()
    add(stats, answer["counted"])
    stats.since, stats.started = float(answer["since"]), float(answer["started"])
    return _Heard(answer, stats)


def _merged(route: str, every: Iterable[Answer]) -> list[Answer]:
    """One example of each kind."""
    merged = Examples()
    merged.restore(sorted(every, key=lambda one: float(one["at"])))
    return list(merged.of(route))
