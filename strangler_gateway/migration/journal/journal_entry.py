"""One line of the journal: what happened to a movable, who asked for it and why; and where it stands afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from strangler_gateway.cluster.record import MAX_TEXT, Hold
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
    STANDING = "standing"
    """Where the movable stands at the beginning of a file of the journal; older files are not needed for it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a movable stands, since when, and from where its shadow counts."""

    position: Position = LEGACY
    since: float = 0.0
    who: str = ""
    why: str = ""
    hold: Hold | None = None
    baseline: Baseline | None = None
    counted_from: float = 0.0
    """When the baseline was taken."""


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
    """Of a move that the gate was asked about: its numbers, as JSON."""
    automatic: bool = False
    """A guard made the move, nobody else."""
    standing: Standing | None = None
    """Of STANDING alone: the whole of it."""


def after(standing: Standing | None, entry: JournalEntry) -> Standing:
    """Where the movable stands once the entry counts. A refused move changes nothing."""
    if entry.standing is not None:
        return entry.standing
    now = standing or Standing(entry.after, entry.time, entry.who, entry.why)
    if entry.event is JournalEvent.REFUSED:
        return now
    if entry.event is JournalEvent.RELEASE:
        return replace(now, hold=None)
    hold = now.hold
    if entry.event is JournalEvent.ROLLBACK:
        hold = Hold(entry.time, entry.who, entry.why)
    since = now.since if standing and entry.after == now.position else entry.time
    baseline, counted_from = (
        (entry.baseline, entry.time) if entry.baseline is not None else (now.baseline, now.counted_from)
    )
    return Standing(entry.after, since, entry.who, entry.why, hold, baseline, counted_from)


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
        )
        return replace(entry, standing=_standing(entry, raw)) if entry.event is JournalEvent.STANDING else entry
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as exc:
        raise ValueError(f"not a journal entry: {type(exc).__name__} {exc}") from exc


def iso(time: float) -> str:
    """Unix seconds as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rest(standing: Standing) -> dict[str, object]:
    """What the other fields of the entry do not say."""
    hold, baseline = standing.hold, standing.baseline
    rest: dict[str, object] = {"counted_from": iso(standing.counted_from)}
    if baseline is not None:
        rest["baseline"] = {route: list(counts) for route, counts in baseline.items()}
    if hold is not None:
        rest["hold"] = {"since": iso(hold.since), "who": hold.who[:MAX_TEXT], "why": hold.why[:MAX_TEXT]}
    return rest


def _standing(entry: JournalEntry, raw: Any) -> Standing:
    hold, counted_from = raw.get("hold"), _time(raw["counted_from"])
    held = Hold(_time(hold["since"]), _text(hold["who"]), _text(hold["why"])) if hold else None
    return Standing(entry.after, entry.time, entry.who, entry.why, held, entry.baseline, counted_from)


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
