"""One line of the journal: what happened to a movable, who asked for it and why; and where it stands afterwards.

A line carries the movable's record (`cluster/record.py`), which says where it stands; records merge, so the order of
lines does not matter. Lines without one, of gateways before records, are given the record that they mean.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from strangler_gateway.cluster.record import (
    MAX_TEXT,
    GroupRecord,
    Hold,
    RollbackName,
    decide,
    held,
    hold,
    holds,
    merge,
    position,
    release,
    rollback,
)
from strangler_gateway.cluster.record_json import parse, shown
from strangler_gateway.evidence.snapshot import iso as iso
from strangler_gateway.table.position import LEGACY, Position, parse_place, place

Baseline = Mapping[str, tuple[int, int, int, int, int]]
"""By route, the counters when its movable entered shadow: requests, compared, different, failed, moved."""


class JournalEvent(StrEnum):
    """What happened to the movable."""

    ADOPTED = "adopted"
    FLIP = "flip"
    FILE = "file"
    ROLLBACK = "rollback"
    RELEASE = "release"
    REFUSED = "refused"
    """A move that the routes file asked for; the movable stays where it is."""
    FAILED = "failed"
    """A move that was journalled and could not be served; `after` is where the movable stayed."""
    STORE = "store"
    """Another gateway moved it; this one read that in the store."""
    RECORD = "record"
    """Only the record has changed, not where the movable stands."""
    PLAN = "plan"
    """The plan was paused, resumed, asked for a step, approved, or it probes; the movable stays."""
    FORGOTTEN = "forgotten"
    """A gateway that no move waits for any more; `unit` is its name. It is about no movable."""
    STANDING = "standing"
    """Where the movable stands at the beginning of a file of the journal; older files are not needed for it."""


NOT_SHOWN = frozenset({JournalEvent.STANDING, JournalEvent.RECORD})
"""Events that say nothing new to people."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a movable stands, since when, and from where its shadow counts."""

    position: Position = LEGACY
    """What the record says, unless it is assumed."""
    since: float = 0.0
    who: str = ""
    why: str = ""
    record: GroupRecord = field(default_factory=GroupRecord)
    baseline: Baseline | None = None
    counted_from: float = 0.0
    """When the baseline was taken."""
    assumed: bool = False
    """Nothing is known of the movable; it stands here until something is."""
    closed: bool = False
    """As assumed: its requests are answered 503."""

    @property
    def hold(self) -> Hold | None:
        """The latest rollback that nobody has released."""
        return hold(self.record)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """`time` in Unix seconds; `digest` of the table that is served after it."""

    time: float
    event: JournalEvent
    unit: str
    who: str
    why: str
    before: Position | None
    after: Position
    digest: str = ""
    forced: tuple[str, ...] = ()
    """Codes of the refusals that `--force` overrode."""
    reasons: tuple[str, ...] = ()
    """Of a refused move: why. Of a forced one: what `--force` overrode, with its numbers."""
    asked: Position | None = None
    """Of a refused move: what the file wanted."""
    baseline: Baseline | None = None
    """Set when the movable enters shadow: differences count from here."""
    evidence: Mapping[str, Any] | None = None
    """Of a move: what was known when it was judged, rule by rule, as JSON. Older lines have the gate's numbers."""
    automatic: bool = False
    """A guard made the move, nobody else."""
    record: GroupRecord | None = None
    """The movable's record after it. None: a refusal, or a line of a gateway before records."""
    standing: Standing | None = None
    """Of STANDING alone: the whole of it."""


def after(standing: Standing | None, entry: JournalEntry) -> Standing:
    """Where the movable stands once the entry counts. A refused move changes nothing but the record."""
    if entry.standing is not None:
        return entry.standing
    standing = None if standing is not None and standing.assumed else standing
    now = standing or Standing(entry.after, entry.time, entry.who, entry.why)
    record = merge(now.record, entry.record) if entry.record is not None else _meant(standing, entry)
    if entry.event in _UNMOVED:
        return replace(now, record=record)
    here = position(record)
    since = now.since if standing and here == now.position else entry.time
    baseline, counted_from = (
        (entry.baseline, entry.time) if entry.baseline is not None else (now.baseline, now.counted_from)
    )
    return Standing(here, since, entry.who, entry.why, record, baseline, counted_from)


_UNMOVED = frozenset({JournalEvent.REFUSED, JournalEvent.RELEASE, JournalEvent.RECORD, JournalEvent.PLAN})


def _meant(standing: Standing | None, entry: JournalEntry) -> GroupRecord:
    """The record that a line without one leads to: a gateway before records made it, or it is a refusal."""
    known = standing.record if standing else GroupRecord()
    if entry.event is JournalEvent.ROLLBACK:
        return known if held(known) else rollback(known, _earlier(entry), Hold(entry.time, entry.who, entry.why))
    if entry.event is JournalEvent.RELEASE:
        return decide(_forgotten(release(known, holds(known))), entry.after, entry.time, who=entry.who, why=entry.why)
    if entry.event is JournalEvent.REFUSED and standing:
        return known
    return decide(known, entry.after, entry.time, who=entry.who, why=entry.why)


def _forgotten(record: GroupRecord) -> GroupRecord:
    """Without the released rollbacks of gateways before records: no other gateway knows of them."""
    rolled_back = {run: number for run, number in record.rolled_back.items() if not run.startswith(_EARLIER)}
    return replace(record, rolled_back=rolled_back, released={run: record.released[run] for run in rolled_back})


_EARLIER = "journal-"


def _earlier(entry: JournalEntry) -> RollbackName:
    """A rollback of a gateway before records: a run of its own, and the same one whenever the journal is read."""
    said = f"{entry.time} {entry.unit} {entry.who} {entry.why}"
    return RollbackName(f"{_EARLIER}{hashlib.sha256(said.encode(errors='replace')).hexdigest()[:12]}", 1)


def standing_entry(unit: str, standing: Standing) -> JournalEntry:
    """The entry that says all that the earlier entries of the movable led to."""
    s = standing
    return JournalEntry(s.since, JournalEvent.STANDING, unit, s.who, s.why, None, s.position, standing=s)


def encode(entry: JournalEntry) -> bytes:
    """The entry as one line of JSON, with its line end."""
    line: dict[str, object] = {
        "time": iso(entry.time),
        "event": entry.event,
        "unit": entry.unit,
        "who": entry.who[:MAX_TEXT],
        "why": entry.why[:MAX_TEXT],
        "before": place(entry.before),
        "after": place(entry.after),
        "digest": entry.digest,
    }
    if entry.forced:
        line["forced"] = list(entry.forced)
    if entry.reasons:
        line["reasons"] = [reason[:MAX_TEXT] for reason in entry.reasons[:20]]
    if entry.asked is not None:
        line["asked"] = place(entry.asked)
    if entry.baseline is not None:
        line["baseline"] = {route: list(counts) for route, counts in entry.baseline.items()}
    if entry.evidence is not None:
        line["evidence"] = entry.evidence
    if entry.automatic:
        line["automatic"] = True
    if entry.record is not None:
        line["record"] = shown(entry.record)
    if entry.standing is not None:
        line |= _rest(entry.standing)
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def decode(line: bytes) -> JournalEntry:
    """Reads a line of the journal. Raises ValueError if it is not a whole entry."""
    try:
        raw = json.loads(line)
        entry = JournalEntry(
            time=_time(raw["time"]),
            event=JournalEvent(raw["event"]),
            unit=_text(raw["unit"]),
            who=_text(raw["who"]),
            why=_text(raw["why"]),
            before=None if raw["before"] is None else parse_place(raw["before"]),
            after=parse_place(raw["after"]),
            digest=_text(raw["digest"]),
            forced=tuple(map(_text, raw.get("forced", ()))),
            reasons=tuple(map(_text, raw.get("reasons", ()))),
            asked=parse_place(raw["asked"]) if raw.get("asked") else None,
            baseline=_baseline(raw["baseline"]) if "baseline" in raw else None,
            evidence=dict(raw["evidence"]) if "evidence" in raw else None,
            automatic=raw.get("automatic") is True,
            record=parse(raw["record"]) if "record" in raw else None,
        )
        if entry.event is JournalEvent.STANDING:
            return replace(entry, record=None, standing=_standing(entry, raw))
        return entry
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as exc:
        raise ValueError(f"not a journal entry: {type(exc).__name__} {exc}") from exc


def _rest(standing: Standing) -> dict[str, object]:
    """What the other fields of the entry do not say. `hold`: for gateways before records."""
    hold, baseline = standing.hold, standing.baseline
    rest: dict[str, object] = {"counted_from": iso(standing.counted_from), "record": shown(standing.record)}
    if baseline is not None:
        rest["baseline"] = {route: list(counts) for route, counts in baseline.items()}
    if hold is not None:
        rest["hold"] = {"since": iso(hold.since), "who": hold.who[:MAX_TEXT], "why": hold.why[:MAX_TEXT]}
    return rest


def _standing(entry: JournalEntry, raw: Any) -> Standing:
    record, counted_from = entry.record, _time(raw["counted_from"])
    if record is None:
        record = decide(GroupRecord(), entry.after, entry.time, who=entry.who, why=entry.why)
        if last := raw.get("hold"):
            note = Hold(_time(last["since"]), _text(last["who"]), _text(last["why"]))
            record = rollback(record, _earlier(replace(entry, time=note.since, who=note.who, why=note.why)), note)
    return Standing(position(record), entry.time, entry.who, entry.why, record, entry.baseline, counted_from)


def _time(raw: Any) -> float:
    return datetime.fromisoformat(raw).timestamp()


def _baseline(raw: Any) -> Baseline:
    counts = {}
    for route, (requests, compared, different, failed, *moved) in raw.items():
        moved_before = int(moved[0]) if moved else 0  # older journals did not count it
        counts[_text(route)] = (int(requests), int(compared), int(different), int(failed), moved_before)
    return counts


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError(f"expected a text, got {type(raw).__name__}")
    return raw
