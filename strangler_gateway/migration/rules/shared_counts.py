"""What all gateways have counted: every one answers afresh for each question, and a missing answer is no zero.

Each answers with a row: the id of its counters and those with which it began (cluster/counting.py), its counters of the
movables in question, what they were when shadow began, and examples of differences.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from strangler_gateway.cluster.counting import KEEP_GONE_S, Counting, apart
from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.peers import PeerAway, Peers
from strangler_gateway.migration.journal.journal_entry import Baseline, Standing
from strangler_gateway.migration.rules import preflight
from strangler_gateway.migration.rules.preflight import Examples
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.runs import MAX_RUNS, CountedRun, run_from_json
from strangler_gateway.telemetry.stats import Compared, Stats

Row = Mapping[str, Any]
RowOf = Callable[[Sequence[str]], Awaitable[Row]]
"""What this gateway has counted of movables. Raises KeyError."""
MAX_EXAMPLES = 20
_ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Counted:
    """The sum over all gateways. `problems`: why it proves nothing, as sentences."""

    stats: Stats
    examples: Examples
    baselines: Mapping[str, Baseline] | None = None
    """By movable, what all gateways had counted when shadow began. None: this gateway is alone."""
    problems: tuple[str, ...] = ()
    runs: Mapping[str, Sequence[CountedRun]] = field(default_factory=dict)
    """By gateway, the processes that counted; "" where there is one gateway."""

    def standing(self, unit: str, here: Standing) -> Standing:
        """The standing as far as it is about counters."""
        if self.baselines is None:
            return here
        return replace(here, baseline=self.baselines.get(unit, {}), counted_from=self.stats.since)


class CountSource(Protocol):
    """Where the counters for a decision come from."""

    async def of(self, units: Sequence[str]) -> Counted:
        """Of these movables, asked for now. Raises KeyError for one that is not served."""
        ...


@dataclass(frozen=True, slots=True)
class OwnCounts:
    """Of a gateway that is alone."""

    stats: Stats
    examples: Examples

    async def of(self, units: Sequence[str]) -> Counted:
        """The gateway's own."""
        return Counted(self.stats, self.examples, runs={"": self.stats.runs})


def own_row(
    table: RouteTable, units: Sequence[str], standings: Mapping[str, Standing], stats: Stats, examples: Examples
) -> dict[str, Any]:
    """What this gateway has counted of the movables. Raises KeyError for one that it does not serve."""
    routes = {unit: [route.id for route in preflight.routes_of(table, unit)] for unit in units}
    names = [name for each in routes.values() for name in each]
    return {
        "part": stats.part(names, units),
        "baselines": {unit: _baseline(routes[unit], standings[unit], stats) for unit in units},
        "examples": {name: list(examples(name)) for name in names},
        "runs": [run.to_json() for run in stats.runs],
    }


def _baseline(routes: Sequence[str], standing: Standing, stats: Stats) -> Baseline:
    before = preflight.counted_before(standing, stats)
    return {route: before[route] for route in routes if route in before}


class SharedCounts:
    """`own` returns this gateway's row; the others are asked by `peers`."""

    def __init__(self, members: Members, peers: Peers, counting: Counting, own: RowOf) -> None:
        self._members, self._peers, self._counting, self._own = members, peers, counting, own
        self._gone_since: float | None = None

    async def answer(self, units: Sequence[str]) -> dict[str, Any]:
        """What another gateway is told. Raises KeyError."""
        counting = self._counting
        return {**await self._own(units), "count": counting.id, "together": dict(counting.together)}

    async def of(self, units: Sequence[str]) -> Counted:
        """The sum of all rows, asked for now."""
        asked = self._peers.ask_all(self._members.others, "counts", {"units": list(units)})
        mine, answers = await asyncio.gather(self.answer(units), asked)
        problems = [self._peers.silent(name, one) for name, one in answers.items() if isinstance(one, PeerAway)]
        heard = {name: one for name, one in answers.items() if not isinstance(one, PeerAway)}
        rows = {self._members.me.name: mine, **heard}
        counted = _summed(rows, problems)
        if not problems:
            problems += await self._together(rows)
        return replace(counted, problems=tuple(problems))

    async def _together(self, rows: Mapping[str, Row]) -> list[str]:
        """Makes all begin anew where one has lost a part."""
        found = apart((name, str(row["count"]), _texts(row["together"])) for name, row in rows.items())
        if found is None:
            self._gone_since = None
            return []
        names, begin = ", ".join(found.names), found.begin
        if begin is None:
            now = time.monotonic()
            self._gone_since = self._gone_since or now
            if now - self._gone_since < KEEP_GONE_S:
                return [f"{names} has stopped, and its counters are not known: it is waited for {KEEP_GONE_S:g} s"]
            begin = {name: str(row["count"]) for name, row in rows.items()}
        self._gone_since = None
        await self._begin(begin)
        return [f"{names} has lost or left out a part of what it counted: all gateways count anew from now on"]

    async def _begin(self, together: Mapping[str, str]) -> None:
        """One that does not hear of it is apart at the next question."""
        self._counting.begin(together)
        await self._peers.ask_all(self._members.others, "anew", {"together": dict(together)})


def _summed(rows: Mapping[str, Row], problems: list[str]) -> Counted:
    """A row that cannot be read is a problem."""
    stats = Stats()
    stats.since = 0.0
    baselines: dict[str, dict[str, Compared]] = {}
    differences: dict[str, list[Mapping[str, object]]] = {}
    runs: dict[str, Sequence[CountedRun]] = {}
    for name, row in rows.items():
        try:
            stats.add(row["part"])
            for unit, before in row["baselines"].items():
                _add(baselines.setdefault(unit, {}), before)
            for route, examples in row["examples"].items():
                differences.setdefault(route, []).extend(examples[:MAX_EXAMPLES])
            runs[name] = [run_from_json(run) for run in row.get("runs", ())[:MAX_RUNS]]
        except _ODD as exc:
            problems.append(f"the counters of {name} cannot be read: {type(exc).__name__} {exc}")
    for examples in differences.values():
        examples.sort(key=lambda one: -float(str(one["at"])))
    return Counted(stats, lambda route: differences.get(route, ()), baselines, runs=runs)


def _add(total: dict[str, Compared], more: Mapping[str, Any]) -> None:
    for route, (a, b, c, d, e) in more.items():
        v, w, x, y, z = total.get(route, (0, 0, 0, 0, 0))
        total[route] = int(a) + v, int(b) + w, int(c) + x, int(d) + y, int(e) + z


def _texts(raw: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in raw.items()} if isinstance(raw, dict) else {}
