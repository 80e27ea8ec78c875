"""What the admin API returns, as JSON-able values: shares in per cent, times in UTC."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from chassis.service.metrics import Metric, gauge
from strangler_gateway.cluster.record_json import name_shown
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.migration.gate import sentences
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.shown import shown
from strangler_gateway.migration.gate.snapshot import named
from strangler_gateway.migration.guards.guard import Guard
from strangler_gateway.migration.journal.journal_entry import JournalEntry, iso
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.routes_file.diff import Diff
from strangler_gateway.migration.rules.move_result import MoveResult, Reloaded
from strangler_gateway.migration.rules.move_rules import Evidence, MoveRefusal
from strangler_gateway.migration.rules.readiness import ServiceReadiness, concerned
from strangler_gateway.migration.rules.readiness import place as place_of
from strangler_gateway.steps.explain import Explanation
from strangler_gateway.table.position import percent, place
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable
from strangler_gateway.table.rules.aggregate import CallRules
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.upstream.discovery import DiscoveryReport

View = dict[str, Any]


def routes(migration: Migration, stats: Stats) -> View:
    """Every route with its counters, undeclared traffic by path shape, and problems of file and state directory."""
    shapes, unconfirmed = sorted(stats.undeclared.items(), key=lambda item: -item[1]), migration.unconfirmed
    return status(migration) | {
        "since": iso(stats.since),
        "routes": [route(each, migration, stats.route(each.id), unconfirmed) for each in migration.served.routes],
        "undeclared": [{"shape": shape, "requests": requests} for shape, requests in shapes],
    }


def status(migration: Migration) -> View:
    """What is served, and why flips are off or the file is refused."""
    return {
        "digest": migration.served.digest,
        "swaps": migration.swaps,
        "faults": list(migration.faults),
        "failed_reloads": migration.failed_reloads,
        "state_dir": {"path": str(migration.state_dir), "problem": migration.problem},
    }


def limits(one: LimiterStatus) -> View:
    """Where requests are counted for rate limits; `problem`: why each gateway counts by itself for now."""
    return {"store": "redis" if one.redis else "memory", "redis": one.redis, "problem": one.problem}


def limit_metrics(one: LimiterStatus) -> Sequence[Metric]:
    """Whether the shared counters work, where there are any; how full memory was."""
    text = "Callers that the gateway's own rate limits had no room for."
    forgotten = Metric("strangler_limit_forgotten_total", "counter", text, [({}, one.forgotten)])
    if one.redis is None:
        return (forgotten,)
    up = gauge("strangler_redis_up", "0: Redis cannot count for rate limits.", int(one.problem is None))
    return (forgotten, up)


def route(route: Route, migration: Migration, counts: RouteStats, unconfirmed: Set[str]) -> View:
    """A route with its counters."""
    standing = migration.standings[route.movable.name]
    return {
        "id": route.id,
        "methods": sorted(method.decode() for method in route.methods) if route.methods else None,
        "path": route.path,
        "unit": route.movable.name,
        "kind": route.movable.kind,
        "state": str(route.movable.state),
        "share": _share(route.movable),
        "held": standing.hold is not None,
        "confirmed": route.movable.name not in unconfirmed,
        "moved_at": iso(standing.since),
        "legacy": route.legacy.name,
        "extracted": route.extracted.name if route.extracted else None,
        "publish": str(route.publish) if route.publish else None,
        "aggregate": str(route.aggregate) if route.aggregate else None,
        "new_end": route.has_new_end,
        "requests": {"legacy": counts.legacy, "extracted": counts.extracted},
        "errors": {"legacy": counts.errors_legacy, "extracted": counts.errors_extracted},
        "unanswered": {"legacy": counts.unanswered_legacy},
        "failovers": counts.failovers,
        "limit": str(route.limit) if route.limit else None,
        "limited": counts.limited,
        "overrides_legacy": counts.overrides_legacy,
        "shadow": {
            "compared": counts.shadow_compared,
            "different": counts.shadow_differing,
            "accepted": counts.shadow_accepted,
            "moved": counts.shadow_moved,
            "failed": counts.shadow_failed,
            "skipped": counts.shadow_skipped,
        },
        "last_legacy_at": iso(counts.last_legacy_at) if counts.last_legacy_at else None,
    }


def services(
    found: Sequence[ServiceReadiness],
    table: RouteTable,
    instances: Sequence[InstanceStatus],
    reports: Mapping[str, DiscoveryReport],
) -> View:
    """Every service: whether it is ready, which movables end there, which of their routes it does not serve."""
    known = {(one.service, one.instance): one for one in instances}
    return {"services": [_service(one, table, reports) | {"instances": _instances(one, known)} for one in found]}


def _instances(one: ServiceReadiness, known: Mapping[tuple[str, str], InstanceStatus]) -> list[View]:
    name = one.service.name
    return [
        known.get((name, each.instance.id), InstanceStatus(name, each.instance.id)).view()
        | {"address": place_of(one.service, each.instance), "ready": each.problem is None, "problem": each.problem}
        for each in one.instances
    ]


def with_bulkheads(found: View, bulkheads: Sequence[BulkheadStatus]) -> View:
    """Services with their breaker, places, queue and retries; None before the first request."""
    known = {one.service: one.view() for one in bulkheads}
    return {"services": [one | {"bulkhead": known.get(one["name"])} for one in found["services"]]}


def upstream_of(one: Explanation, bulkheads: Sequence[BulkheadStatus], instances: Sequence[InstanceStatus]) -> View:
    """The same of the service that a request would go to, and its instances."""
    name = one.service.name if one.service else None
    return {
        "bulkhead": next((each.view() for each in bulkheads if each.service == name), None),
        "instances": [each.view() for each in instances if each.service == name],
    }


def _service(one: ServiceReadiness, table: RouteTable, reports: Mapping[str, DiscoveryReport]) -> View:
    name = one.service.name
    report = reports.get(name)
    lacking = concerned(table, one)
    return {
        "name": name,
        "address": place_of(one.service),
        "health": one.service.health,
        "ready": one.problem is None,
        "problem": one.problem,
        "discovery": _discovery(report) if report else None,
        "units": sorted({r.movable.name for r in table.routes if r.extracted and r.extracted.name == name}),
        "legacy_of": sum(route.legacy.name == name for route in table.routes),
        "unserved": [
            {"route": route.id, "unit": route.movable.name, "method": u.method, "path": u.path, "reason": u.reason}
            for route, u in lacking
        ],
    }


def _discovery(report: DiscoveryReport) -> View:
    """`problem`: why the instances may be out of date; `since`: from when on this holds."""
    status = report.status
    since = iso(status.since)
    return {"source": report.target, "answered": status.answered, "problem": status.problem, "since": since}


def discovery_metrics(reports: Mapping[str, DiscoveryReport]) -> Sequence[Metric]:
    """How many instances each discovered service has, and whether that is up to date; none without such services."""
    if not reports:
        return ()
    known = [({"service": name}, len(one.instances)) for name, one in reports.items()]
    fresh = [({"service": name}, int(one.status.answered and not one.status.problem)) for name, one in reports.items()]
    text = "0: its source is away; the instances that were known last stay in use."
    return (
        Metric("strangler_discovered_instances", "gauge", "Instances that a service is known to have.", known),
        Metric("strangler_discovery_fresh", "gauge", text, fresh),
    )


def move_result(one: MoveResult) -> View:
    """What became of a move."""
    return {
        "unit": one.unit,
        "done": one.done,
        "dry_run": one.dry_run,
        "before": place(one.before),
        "after": place(one.after),
        "held": one.held,
        "rollback": name_shown(one.rollback) if one.rollback else None,
        "refusals": [_refusal(refusal) for refusal in one.refusals],
        "overridden": [_refusal(refusal) for refusal in one.overridden],
        "warnings": list(one.warnings),
        "undo": [place(position) for position in one.undo],
        "digest": one.digest,
        "gate": one.gate,
        "evidence": one.evidence,
    }


def _refusal(refusal: MoveRefusal) -> View:
    shown: View = {"code": refusal.code, "message": refusal.message, "forcible": refusal.forcible}
    return shown | ({"example": dict(refusal.example)} if refusal.example else {})


def reloaded(one: Reloaded) -> View:
    """What became of a reload."""
    return {
        "digest": one.digest,
        "faults": list(one.faults),
        "moved": [move_result(each) for each in one.moved],
        "kept": [move_result(each) for each in one.kept],
    }


def journal_entry(one: JournalEntry) -> View:
    """A line of the journal."""
    seen: View = {
        "time": iso(one.time),
        "event": str(one.event),
        "unit": one.unit,
        "who": one.who,
        "why": one.why,
        "before": place(one.before),
        "after": place(one.after),
        "digest": one.digest,
        "forced": list(one.forced),
        "automatic": one.automatic,
    }
    seen |= {"asked": place(one.asked), "reasons": list(one.reasons)} if one.asked or one.forced else {}
    return seen | ({"evidence": dict(one.evidence)} if one.evidence is not None else {})


def diff(one: Diff) -> View:
    """How the file differs from what is served."""
    units = [{"unit": u.unit, "file": place(u.file), "served": place(u.served), "reason": u.reason} for u in one.units]
    return {
        "same": one.same,
        "served_digest": one.served_digest,
        "file_digest": one.file_digest,
        "unread": one.unread,
        "faults": list(one.faults),
        "units": units,
        "added": list(one.added),
        "removed": list(one.removed),
        "changed": list(one.changed),
    }


def explanation(one: Explanation) -> View:
    """Where a request would go."""
    return {
        "route": one.route.id,
        "path": one.route.path,
        "variables": dict(one.variables),
        "unit": one.route.movable.name,
        "kind": one.route.movable.kind,
        **(place(one.position) or {}),
        "bucket": one.bucket,
        "side": str(one.side),
        "service": one.service.name if one.service else None,
        "publish": str(one.route.publish) if one.service is None and one.route.publish else None,
        "aggregate": str(one.route.aggregate) if one.service is None and one.route.aggregate else None,
        "calls": [_call(rules, call) for rules, call in one.calls],
        "reason": one.reason,
        "compared": one.compared,
        "limit": str(one.route.limit) if one.route.limit else None,
        "note": one.note,
    }


def _call(rules: CallRules, one: Explanation) -> View:
    """Where a call of an aggregate would go."""
    return {
        "name": rules.name,
        "path": "".join(map(str, rules.target)),
        "each": str(rules.each) if rules.each else None,
        "required": rules.required,
        "route": one.route.id,
        "unit": one.route.movable.name,
        "side": str(one.side),
        "service": one.service.name if one.service else None,
        "reason": one.reason,
    }


def gate(migration: Migration, movable: Movable, evidence: Evidence, problems: Sequence[str] = ()) -> View:
    """What the last move of a movable has shown so far."""
    standing, known = migration.standings[movable.name], evidence.gate
    missing = [("counters", f"{movable.name}: {problem}") for problem in problems]
    refused = [*missing, *(sentences.refused(movable.name, known) if known is not None else ())]
    return {
        "unit": movable.name,
        **(place(standing.position) or {}),
        "moved_at": iso(standing.since),
        "held": standing.hold is not None,
        "gate": shown(known) if known is not None else None,
        "refusals": [{"code": code, "message": message} for code, message in refused],
        "guard": guard(migration.guards.of(movable.name)),
    }


def names_of(route: Route, known: GateEvidence) -> list[View]:
    """The differences of a route by name, the most frequent first; where they are accepted, why and until when."""
    rules = {rule.name: {"why": rule.why, "until": rule.until} for rule in route.accept}
    seen = {name: counts for name, counts in known.seen.routes.items() if name == route.id}
    return [
        one | rules.get(f"{one['kind']} {one['path']}", {"why": None, "until": None})
        for one in named(seen, known.accept)
    ]


def guard(one: Guard | None) -> View | None:
    """Who watches a movable at this gateway after a move, and how that ended; None: nobody has."""
    return None if one is None else {"until": iso(one.until), "state": str(one.state), "alarm": one.alarm}


def migration_metrics(migration: Migration) -> Sequence[Metric]:
    """Where the movables stand, and problems of file and state directory."""
    movables = migration.served.movables
    states = [({"unit": name, "state": str(movable.state)}, 1) for name, movable in movables.items()]
    shares = {name: (_share(movable) or 0) / 100 for name, movable in movables.items()}
    held = {name: int(migration.standings[name].hold is not None) for name in movables}
    failed = migration.failed_reloads
    return (
        Metric("strangler_unit_state", "gauge", "1: the unit is in this state.", states),
        gauge("strangler_unit_share_ratio", "Part of the users on the new side in canary: 0 to 1.", shares, "unit"),
        gauge("strangler_unit_held", "1: a rollback has put the unit on hold.", held, "unit"),
        Metric("strangler_failed_reloads_total", "counter", "Routes files that were not accepted.", [({}, failed)]),
        gauge("strangler_state_dir_writable", "0: flips are off.", int(migration.problem is None)),
    )


def _share(movable: Movable) -> float | None:
    """Per cent in canary, else None."""
    return percent(movable.share) if movable.state is MigrationState.CANARY else None
