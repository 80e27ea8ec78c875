"""The retire report: what shows that the monolith gets no request of a group any more, and what does not. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strangler_gateway.migration.gate.sentences import span
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing, iso
from strangler_gateway.retirement.near import sharing
from strangler_gateway.table.position import place
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable
from strangler_gateway.telemetry.runs import CountedRun
from strangler_gateway.telemetry.stats import RouteStats, Stats

KIND, VERSION = "strangler-retire-report", 1
MAX_ENTRIES = 200
"""Entries of the journal and shapes of undeclared traffic in a report."""
Report = Mapping[str, Any]
_MOVES = (JournalEvent.ADOPTED, JournalEvent.FLIP, JournalEvent.FILE, JournalEvent.ROLLBACK, JournalEvent.RELEASE)
_DECIDED = (*_MOVES, JournalEvent.STORE)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report is made of. Times are Unix seconds."""

    table: RouteTable
    movable: Movable
    standing: Standing
    counted: Stats
    """The sum over all gateways."""
    problems: Sequence[str]
    """Why the sum proves nothing."""
    runs: Mapping[str, Sequence[CountedRun]]
    """By gateway, the processes whose counters are in the sum."""
    entries: Sequence[JournalEntry]
    """Of the group, the latest first."""
    now: float
    gateway: str
    who: str

    @property
    def routes(self) -> list[Route]:
        """Those that move with the group."""
        return [route for route in self.table.routes if route.movable.name == self.movable.name]


def report(found: Findings) -> Report:
    """JSON-able. `missing`: why it is no proof; empty where `proven`."""
    silent = silent_since(found)
    missing = list(_missing(found, silent))
    undeclared = sharing(found.counted.undeclared, found.routes)
    return {
        "kind": KIND,
        "version": VERSION,
        "group": found.movable.name,
        "made_at": iso(found.now),
        "asked_by": found.who,
        "gateway": found.gateway,
        "table": found.table.digest,
        "position": place(found.standing.position),
        "position_since": iso(found.standing.since),
        "silent_since": iso(silent),
        "silent_s": max(int(found.now - silent), 0),
        "required_s": int(found.movable.retire_after_s),
        "proven": not missing,
        "missing": missing,
        "remarks": list(_remarks(found, undeclared)),
        "routes": [_route(route, found.counted.route(route.id)) for route in found.routes],
        "counted_since": iso(found.counted.since),
        "gateways": {name: [_run(run) for run in runs] for name, runs in found.runs.items()},
        "undeclared": undeclared[:MAX_ENTRIES],
        "journal": [_entry(entry) for entry in found.entries if entry.event in _DECIDED][:MAX_ENTRIES],
    }


def silent_since(found: Findings) -> float:
    """Since when the counters show no request to the monolith, without a gap, in this state."""
    last = max((found.counted.route(route.id).last_legacy_at for route in found.routes), default=0.0)
    return max(found.standing.since, found.counted.since, last)


def _missing(found: Findings, silent: float) -> Iterator[str]:
    name = found.movable.name
    if found.standing.position.state not in (MigrationState.EXTRACTED, MigrationState.RETIRED):
        yield f"{name} is in {found.standing.position}: only a group in extracted can retire"
    if found.standing.hold is not None:
        yield f"{name} is on hold, because {found.standing.hold.who} rolled it back"
    if without := [route.id for route in found.routes if not route.has_new_end]:
        yield f"{', '.join(without)} still ends in the monolith"
    yield from found.problems
    if found.now - silent < found.movable.retire_after_s:
        required, seen = span(found.movable.retire_after_s), span(max(found.now - silent, 0.0))
        yield f"`retire_after` requires {required} without a request to the monolith, and the counters show {seen}"


def _remarks(found: Findings, undeclared: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a reader should know, though it is no reason against it."""
    for row in undeclared[:20]:
        routes = ", ".join(row["routes"][:5])
        seen = f"{row['requests']} requests of {row['shape']} went to the monolith"
        yield f"{seen}: no route declares them, and they share the path of {routes}"
    for gateway, runs in found.runs.items():
        lost = sum(1 for run in runs[:-1] if run.stopped is None)
        if lost:
            yield f"{gateway} was killed {lost} times: up to 5 s of requests before each time are not counted"
    if found.movable.data == "own":
        yield "the service has data of its own: what was written there is unknown to the monolith"
    forced = sum(1 for entry in found.entries if entry.forced)
    if forced:
        yield f"{forced} moves were forced; the journal says what was overridden"


def _run(run: CountedRun) -> dict[str, object]:
    return {"started": iso(run.started), "stopped": iso(run.stopped) if run.stopped is not None else None}


def _route(route: Route, counts: RouteStats) -> dict[str, object]:
    return {
        "id": route.id,
        "methods": sorted(method.decode() for method in route.methods) if route.methods else None,
        "path": route.path,
        "service": route.extracted.name if route.extracted else None,
        "requests_extracted": counts.extracted,
        "requests_legacy": counts.legacy,
        "failovers": counts.failovers,
        "overrides_legacy": counts.overrides_legacy,
        "last_legacy_at": iso(counts.last_legacy_at) if counts.last_legacy_at else None,
    }


def _entry(entry: JournalEntry) -> dict[str, object]:
    return {
        "time": iso(entry.time),
        "event": str(entry.event),
        "who": entry.who,
        "why": entry.why,
        "before": place(entry.before),
        "after": place(entry.after),
        "forced": list(entry.forced),
    }
