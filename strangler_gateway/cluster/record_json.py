"""A group's record as JSON: as the store and the journal keep it, bounded and checked when it is read."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from strangler_gateway.cluster.record import (
    MAX_TEXT,
    GroupDecision,
    GroupRecord,
    Hold,
    PlanState,
    RollbackName,
    Runs,
)
from strangler_gateway.evidence.known_failures import MOST_KNOWN, KnownFailures
from strangler_gateway.table.position import parse_place, place

MAX_BYTES = 500_000
"""Consul takes 512 KiB at most."""
MAX_RUNS = 10_000
MAX_FILES = 10_000
MAX_NUMBER = 10**12
"""Of a rollback, a step or a `seq`: as Unix seconds that is in 30,000 years."""
_NAME = re.compile(r"[0-9A-Za-z_.:-]{1,64}")

Value = TypeVar("Value")


class RecordInvalid(ValueError):
    """What was read is no record; the message says where it is wrong."""


def encode(record: GroupRecord) -> bytes:
    """The record as JSON; equal records give equal bytes."""
    return json.dumps(shown(record), sort_keys=True, separators=(",", ":")).encode()


def digest(record: GroupRecord) -> str:
    """Twelve characters that are equal where the records are."""
    return hashlib.sha256(encode(record)).hexdigest()[:12]


def decode(raw: bytes) -> GroupRecord:
    """The record that `encode` wrote. Raises RecordInvalid."""
    if len(raw) > MAX_BYTES:
        raise RecordInvalid(f"the record has {len(raw)} bytes, at most {MAX_BYTES} are read")
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise RecordInvalid(f"the record is no JSON: {str(exc)[:200]}") from exc
    return parse(said)


def shown(record: GroupRecord) -> dict[str, object]:
    """The record as JSON-able values."""
    said: dict[str, object] = {
        "rolled_back": dict(record.rolled_back),
        "released": dict(record.released),
        "decision": _decision_shown(record.decision),
        "files": sorted(record.files),
    }
    if record.notes:
        notes = record.notes.items()
        said["notes"] = {run: {"since": one.since, "who": one.who, "why": one.why} for run, one in notes}
    return said


def parse(raw: object) -> GroupRecord:
    """The record that `shown` showed. Raises RecordInvalid."""
    whole = _mapping(raw, "the record")
    rolled_back, released = _runs(whole, "rolled_back"), _runs(whole, "released")
    decision = _decision(_mapping(whole.get("decision", {}), "decision"))
    _known(released, rolled_back, "released")
    _known(decision.knows, rolled_back, "decision.knows")
    return GroupRecord(rolled_back, released, decision, _files(whole), _notes(whole, rolled_back, released))


def name_shown(name: RollbackName) -> str:
    """A rollback's name as text: `7f3a:2`."""
    return f"{name.run}:{name.number}"


def parse_name(text: str) -> RollbackName:
    """The name that `name_shown` showed. Raises RecordInvalid."""
    run, colon, number = text.rpartition(":")
    if not colon or not _NAME.fullmatch(run) or not number.isascii() or not number.isdecimal() or len(number) > 12:
        raise RecordInvalid(f"{text[:80]!r} names no rollback: RUN:NUMBER is expected")
    return RollbackName(run, _number(int(number), "the number of a rollback", least=1))


def _decision_shown(one: GroupDecision) -> dict[str, object]:
    said: dict[str, object] = {"seq": one.seq, "position": place(one.position), "knows": dict(one.knows)}
    if one.plan is not None:
        said["plan"] = _plan_shown(one.plan)
    return said | {"who": one.who, "why": one.why}


def _plan_shown(plan: PlanState) -> dict[str, object]:
    said: dict[str, object] = {"step": plan.step, "paused": plan.paused}
    more = {"by": plan.by, "asked": plan.asked, "approved": plan.approved, "probe": plan.probe}
    known = [{"route": one.stream, "failed": one.failed, "of": one.of, "at": one.at} for one in plan.known]
    return said | {name: value for name, value in (more | {"known": known}).items() if value}


def _decision(raw: Mapping[str, Any]) -> GroupDecision:
    if not raw:
        return GroupDecision()
    plan = raw.get("plan")
    where = _mapping(raw.get("position"), "decision.position")
    try:
        if isinstance(where.get("share", 0), bool):
            raise TypeError("the share is a truth value")
        here = parse_place(where)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise RecordInvalid(f"decision.position is none: {type(exc).__name__} {str(exc)[:80]}") from exc
    return GroupDecision(
        seq=_number(raw.get("seq"), "decision.seq"),
        position=here,
        knows=_runs(raw, "knows"),
        plan=None if plan is None else _plan(_mapping(plan, "decision.plan")),
        who=_text(raw.get("who", ""), "decision.who"),
        why=_text(raw.get("why", ""), "decision.why"),
    )


def _plan(raw: Mapping[str, Any]) -> PlanState:
    by, asked, approved = (_text(raw.get(name, ""), f"decision.plan.{name}") for name in ("by", "asked", "approved"))
    step = _number(raw.get("step", 0), "decision.plan.step")
    return PlanState(step, _switch(raw, "paused"), by, asked, approved, _switch(raw, "probe"), _all_known(raw))


def _all_known(raw: Mapping[str, Any]) -> tuple[KnownFailures, ...]:
    known, name = raw.get("known", []), "decision.plan.known"
    if not isinstance(known, list) or len(known) > MOST_KNOWN:
        raise RecordInvalid(f"{name} must be a list of at most {MOST_KNOWN} routes, not {_kind(known)}")
    return tuple(sorted(_one_known(_mapping(one, name), name) for one in known))


def _one_known(raw: Mapping[str, Any], name: str) -> KnownFailures:
    of = _number(raw.get("of"), f"{name}.of", least=1)
    failed = _number(raw.get("failed"), f"{name}.failed", least=1)
    if failed > of:
        raise RecordInvalid(f"{name}.failed is {failed}, but only {of} requests were seen")
    return KnownFailures(_text(raw.get("route"), f"{name}.route"), failed, of, _number(raw.get("at"), f"{name}.at"))


def _switch(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise RecordInvalid(f"decision.plan.{name} must be true or false, not {_kind(value)}")
    return value


def _runs(raw: Mapping[str, Any], name: str) -> Runs:
    numbers = _mapping(raw.get(name, {}), name)
    return _entries(numbers, name, lambda number, where: _number(number, where, least=1))


def _notes(raw: Mapping[str, Any], rolled_back: Runs, released: Runs) -> dict[str, Hold]:
    """Those of rollbacks that hold; others would not merge."""
    notes = _entries(_mapping(raw.get("notes", {}), "notes"), "notes", _note)
    return {run: note for run, note in notes.items() if rolled_back.get(run, 0) > released.get(run, 0)}


def _note(raw: object, where: str) -> Hold:
    note = _mapping(raw, where)
    since = note.get("since")
    if isinstance(since, bool) or not isinstance(since, int | float) or not 0 <= since <= MAX_NUMBER:
        raise RecordInvalid(f"{where}.since must be Unix seconds, not {_kind(since)}")
    return Hold(float(since), _text(note.get("who", ""), f"{where}.who"), _text(note.get("why", ""), f"{where}.why"))


def _files(raw: Mapping[str, Any]) -> frozenset[str]:
    files = raw.get("files", [])
    if not isinstance(files, list) or len(files) > MAX_FILES:
        raise RecordInvalid(f"files must be a list of at most {MAX_FILES} digests, not {_kind(files)}")
    return frozenset(_name(file, "files") for file in files)


def _entries(raw: Mapping[str, Any], name: str, read: Callable[[object, str], Value]) -> dict[str, Value]:
    if len(raw) > MAX_RUNS:
        raise RecordInvalid(f"{name} has {len(raw)} runs, at most {MAX_RUNS} are read")
    return {_name(run, name): read(value, f"{name}.{run[:64]}") for run, value in raw.items()}


def _known(numbers: Runs, rolled_back: Runs, name: str) -> None:
    """A number beyond the rollbacks that the record has would lift rollbacks that nobody has made yet."""
    for run, number in numbers.items():
        if number > rolled_back.get(run, 0):
            raise RecordInvalid(f"{name}.{run} is {number}, but rolled_back has {rolled_back.get(run, 0)} of that run")


def _mapping(raw: object, name: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise RecordInvalid(f"{name} must be an object, not {_kind(raw)}")
    return raw


def _number(raw: object, name: str, least: int = 0) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= MAX_NUMBER:
        raise RecordInvalid(f"{name} must be a whole number from {least} to {MAX_NUMBER}, not {_kind(raw)}")
    return raw


def _text(raw: object, name: str) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise RecordInvalid(f"{name} must be a text of at most {MAX_TEXT} characters, not {_kind(raw)}")
    return raw


def _name(raw: object, where: str) -> str:
    if not isinstance(raw, str) or not _NAME.fullmatch(raw):
        raise RecordInvalid(f"a name in {where} must match {_NAME.pattern}, not {_kind(raw)}")
    return raw


def _kind(raw: object) -> str:
    """What it is, shortened: it may be anything."""
    return f"{type(raw).__name__} {str(raw)[:40]!r}" if isinstance(raw, int | float | str) else type(raw).__name__
