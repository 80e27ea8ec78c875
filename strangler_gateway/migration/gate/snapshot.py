"""The gate's evidence as a snapshot: each rule with its numbers, threshold, verdict and sentence. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from strangler_gateway.evidence.latency import BeyondPart, TimingEvidence, TimingVerdict
from strangler_gateway.evidence.snapshot import RuleEvidence, RuleVerdict, Snapshot, iso
from strangler_gateway.migration.gate import sentences
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.shown import MAX_ROUTES, busiest, rounded, sides
from strangler_gateway.migration.gate.verdict import ParityVerdict, Verdict
from strangler_gateway.migration.states import RefusalCode
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.telemetry.exercised import DAY_S, missing
from strangler_gateway.telemetry.migration_steps.parity import RouteParity

Said = dict[RefusalCode, str]
"""By code, why the gate refuses a step."""
_NOTHING: frozenset[str] = frozenset()
MAX_NAMES = 50
_PARITY_CODES: tuple[RefusalCode, ...] = ("differences", "wait", "moved")


def snapshot(unit: str, known: GateEvidence, problems: Sequence[str] = ()) -> Snapshot:
    """`problems`: why the counters prove nothing now."""
    said: Said = {code: message.removeprefix(f"{unit}: ") for code, message in sentences.refused(unit, known)}
    return Snapshot(
        unit,
        known.position,
        known.now,
        known.since,
        (
            _failures(known, said),
            _users(known, said),
            _parity(known, said),
            _timing("latency", known, known.timed().latency, said.get("slow")),
            _timing("size", known, known.timed().size, said.get("sizes")),
            _exercised(known, said),
        ),
        unexercised(known),
        tuple(problems),
    )


def _failures(known: GateEvidence, said: Said) -> RuleEvidence:
    found = known.canary
    if found is None:
        return RuleEvidence("failures", RuleVerdict.OFF, _off(known), _requests(known))
    verdict = RuleVerdict.PASS if found.shown else RuleVerdict.WAIT
    return RuleEvidence(
        "failures",
        RuleVerdict.WORSE if found.verdict is Verdict.WORSE else verdict,
        said.get("worse") or said.get("wait") or sentences.numbers(known, found),
        sides(found.counts)
        | {
            "lower": rounded(found.lower),
            "upper": rounded(found.upper),
            "looked_at": found.looked_at,
            "upper_at_look": None if found.upper_at_look is None else rounded(found.upper_at_look),
        }
        | _requests(known),
        {"delta": rounded(found.delta), "next_look": found.next_look},
        _wait_s(known, found.next_look - found.counts.new) if verdict is RuleVerdict.WAIT else None,
    )


def _requests(known: GateEvidence) -> dict[str, Any]:
    """All requests of this step by route, those included that do not count, and one failure."""
    routes = {route: sides(counts) for route, counts in busiest(known.requests)}
    return {"routes": routes} | ({"example": dict(known.example)} if known.example else {})


def _users(known: GateEvidence, said: Said) -> RuleEvidence:
    found = known.canary
    if found is None:
        return RuleEvidence("users", RuleVerdict.OFF, _off(known))
    users = found.users
    text = (
        f"{users.failed_new} of {users.new} users met a failure on the new side, "
        f"{users.failed_legacy} of {users.legacy} on legacy"
    )
    verdict = RuleVerdict.WAIT if found.veto else RuleVerdict.PASS
    return RuleEvidence(
        "users", verdict, said.get("users", text), sides(users) | {"lower": rounded(found.users_lower)}, {"lower": 0.0}
    )


def _parity(known: GateEvidence, said: Said) -> RuleEvidence:
    found = known.parity
    if found is None:
        return RuleEvidence("parity", RuleVerdict.OFF, _off(known))
    seen = known.seen.routes
    refused = [said[code] for code in _PARITY_CODES if code in said]
    numbers = {
        "equal": found.equal,
        "different": found.different,
        "moved": found.moved,
        "lower": rounded(found.lower),
        "upper": rounded(found.upper),
        "looked_at": found.looked_at,
        "accepted": sum(sum(one.accepted(known.accept.get(route, _NOTHING)).values()) for route, one in seen.items()),
        "routes": {route: _classes(known, route, one) for route, one in sorted(seen.items())[:MAX_ROUTES]},
        "names": named(seen, known.accept)[:MAX_NAMES],
    }
    verdict = {Verdict.PASS: RuleVerdict.PASS, Verdict.WORSE: RuleVerdict.DIFFERENT}.get(
        found.verdict, RuleVerdict.WAIT
    )
    wait_s = _wait_s(known, found.next_look - found.equal - found.different)
    return RuleEvidence(
        "parity",
        verdict,
        "; ".join(refused) or _compared(found),
        numbers,
        {"parity": rounded(found.required), "next_look": found.next_look},
        wait_s if verdict is RuleVerdict.WAIT else None,
    )


def _classes(known: GateEvidence, route: str, one: RouteParity) -> dict[str, Any]:
    """By legacy's status class."""
    counted = one.counted(known.accept.get(route, _NOTHING))
    return {name: {"equal": equal, "different": different} for name, (equal, different) in sorted(counted.items())}


def named(seen: Mapping[str, RouteParity], accept: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    """The differences of these routes by name, the most frequent first."""
    found = [
        {"route": route, "kind": kind, "path": path, "answers": count, "accepted": f"{kind} {path}" in accept[route]}
        for route, one in seen.items()
        if route in accept
        for kind, path, count in ((*name.split(" ", 1), count) for name, count in one.names().items())
    ]
    return sorted(found, key=lambda one: -int(str(one["answers"])))


def _compared(found: ParityVerdict) -> str:
    seen = found.equal + found.different
    return f"{found.equal} of {seen} answers are equal" if seen else "shadow has compared nothing yet"


def unexercised(known: GateEvidence) -> tuple[dict[str, str], ...]:
    """What legacy was asked for within some days, and the new side was not; nothing in legacy, where nobody asks it."""
    if known.position.state is MigrationState.LEGACY:
        return ()
    today = int(known.now // DAY_S)
    found = [
        {"route": route} | ({sort: name} if sort else {}) | {"last_legacy": _day(day)}
        for route, (legacy, new) in known.exercised.items()
        for sort, name, day in missing(legacy, new, today - known.rules.exercised_days)
    ]
    return tuple(found[:MAX_ROUTES])


def _day(number: int) -> str:
    return iso(number * DAY_S)[:10]


def _exercised(known: GateEvidence, said: Said) -> RuleEvidence:
    if known.canary is None:
        return RuleEvidence("exercised", RuleVerdict.OFF, _off(known))
    verdict = RuleVerdict.WAIT if known.never_asked else RuleVerdict.PASS
    less = len(unexercised(known))
    text = "the new side was asked for every route that legacy was asked for"
    text += f"; {less} methods, status classes or roles are listed that it was not asked for" if less else ""
    numbers = {"never_asked": len(known.never_asked), "unexercised": less}
    return RuleEvidence(
        "exercised", verdict, said.get("never_asked", text), numbers, {"days": known.rules.exercised_days}
    )


def _timing(
    rule: Literal["latency", "size"], known: GateEvidence, found: TimingEvidence | None, refused: str | None
) -> RuleEvidence:
    timed = known.timed()
    if found is None:
        return RuleEvidence(rule, RuleVerdict.OFF, timed.off or "switched off in routes.yaml (`gate:`)")
    verdict, says = _TIMED[rule][found.verdict], refused
    if says is None:
        waits = verdict is RuleVerdict.WAIT
        says = sentences.too_few(known, found) if waits else sentences.timing(known, found)
    missing = _wait_s(known, found.least - found.answers)
    numbers: dict[str, Any] = {"answers": found.answers, "legacy": found.legacy}
    if rule == "latency" and timed.quantiles:
        numbers |= {name: round(1000 * ms, 3) for name, ms in zip(_QUANTILES, timed.quantiles, strict=True)}
    numbers |= {part.question.name: _part(part) for part in found.parts}
    return RuleEvidence(
        rule,
        verdict,
        says,
        numbers
        | {"routes": {route: {part.question.name: _part(part) for part in parts} for route, parts in _first(found)}},
        {"ratio": known.rules.p95_ratio, "answers": found.least}
        | {part.question.name: part.question.passes for part in found.parts},
        (None if missing is None else timed.skips_s + missing) if verdict is RuleVerdict.WAIT else None,
        required=known.rules.latency_required,
    )


def _first(found: TimingEvidence) -> list[tuple[str, tuple[BeyondPart, ...]]]:
    """Routes that are beyond by themselves: a line of the journal is bounded."""
    return sorted(found.routes.items())[:MAX_ROUTES]


def _part(part: BeyondPart) -> dict[str, Any]:
    return {"beyond": round(part.beyond, 1), "of": part.of, "lower": rounded(part.lower), "upper": rounded(part.upper)}


_QUANTILES = ("p50_ms_legacy", "p50_ms_extracted", "p95_ms_legacy", "p95_ms_extracted")
_BEST = {TimingVerdict.PASS: RuleVerdict.PASS, TimingVerdict.WAIT: RuleVerdict.WAIT}
_TIMED = {
    "latency": _BEST | {TimingVerdict.BEYOND: RuleVerdict.SLOW},
    "size": _BEST | {TimingVerdict.BEYOND: RuleVerdict.DIFFERENT},
}


def _off(known: GateEvidence) -> str:
    return f"nothing is measured for it in {known.position}"


def _wait_s(known: GateEvidence, missing: int) -> float | None:
    return max(missing, 0) / known.per_second if known.per_second else None
