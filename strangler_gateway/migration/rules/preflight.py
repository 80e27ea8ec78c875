"""Gathers what a move is judged by: counters since shadow began, one difference, and which new ends are ready."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from strangler_gateway.migration.gate import evidence as gate
from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.migration.journal.journal_entry import Baseline, Standing
from strangler_gateway.migration.rules.move_rules import Evidence, MoveRefusal, RouteEvidence, listing
from strangler_gateway.migration.rules.readiness import ServiceReadiness, concerned, place
from strangler_gateway.migration.states import RefusalCode
from strangler_gateway.table.call_target import ends_of_calls
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service
from strangler_gateway.table.rules.accept import names_at
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.migration_steps.counts import StepCounts
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.upstream.resilience.retry import SAFE

Probe = Callable[[Service], Awaitable[ServiceReadiness]]
BrokerProbe = Callable[[PublishRules], Awaitable[str | None]]
"""None if its messages would arrive, else a sentence."""
Examples = Callable[[str], Sequence[Mapping[str, object]]]
"""The differences of a route that shadow kept, the latest first."""


async def unreachable(table: RouteTable, unit: str, probe: Probe, broker: BrokerProbe) -> tuple[MoveRefusal, ...]:
    """Which new ends of a movable do not answer or are not ready, each with what to do; all are asked at once."""
    routes = routes_of(table, unit)
    services = {service.name: service for route in routes for service in _ends(table, route)}
    messages = dict.fromkeys(route.publish for route in routes if route.publish)
    answers = await asyncio.gather(*map(probe, services.values()))
    refusals = [refusal for answer in answers for refusal in _refusals(table, unit, answer)]
    absent = filter(None, await asyncio.gather(*map(broker, messages)))
    return (*refusals, *(MoveRefusal("unreachable", reason, forcible=True) for reason in absent))


def _ends(table: RouteTable, route: Route) -> list[Service]:
    """Of an aggregate what its calls need now: a move of theirs asks for itself."""
    if route.aggregate is not None:
        return ends_of_calls(Matcher(table), route)
    return [route.extracted] if route.extracted else []


def _refusals(table: RouteTable, unit: str, answer: ServiceReadiness) -> Iterator[MoveRefusal]:
    service = answer.service
    if answer.problem is not None:
        code: RefusalCode = "not_ready" if answer.reachable else "unreachable"
        to_do = "see its log" if answer.reachable else "start it"
        what = "`url:` and `health:`" if service.health else "`url:`"
        yield MoveRefusal(code, f"{answer.problem}: {to_do}, or check its {what} in routes.yaml", forcible=True)
    lacking = [(route, one) for route, one in concerned(table, answer) if route.movable.name == unit]
    for reason in dict.fromkeys(one.reason for _, one in lacking):
        names = [f"{one.method} {one.path} ({route.id})" for route, one in lacking if one.reason == reason]
        why = f": {reason}" if reason else ""
        yield MoveRefusal(
            "unserved",
            f"{service.name} ({place(service)}) does not serve {listing(names)} of {unit}{why}. Configure the service "
            f"so that it does, or move these routes to another group",
            forcible=True,
        )


def routes_of(table: RouteTable, unit: str) -> list[Route]:
    """The routes that move with the movable."""
    return [route for route in table.routes if route.movable.name == unit]


def evidence(
    table: RouteTable,
    movable: Movable,
    standing: Standing,
    stats: Stats,
    examples: Examples,
    now: float,
    unreachable: tuple[MoveRefusal, ...] = (),
) -> Evidence:
    """What is known of the movable now."""
    baseline = counted_before(standing, stats)
    routes = routes_of(table, movable.name)
    seen = tuple(_route(route, stats.route(route.id), baseline, examples) for route in routes)
    return Evidence(
        routes=seen,
        unreachable=unreachable,
        data=movable.data,
        hold=standing.hold,
        entered_at=standing.since,
        counted_since=stats.since,
        now=now,
        retire_after_s=movable.retire_after_s,
        gate=_gate(movable, standing, stats, seen, now, {route.id: names_at(route.accept, now) for route in routes}),
    )


def counted_before(standing: Standing, stats: Stats) -> Baseline:
    """What the counters said when the movable entered shadow, or when counting began anew since."""
    if stats.anew is not None and stats.anew_at > standing.counted_from:
        return stats.anew
    if stats.since > standing.counted_from:
        return {}
    return standing.baseline or {}


def _gate(
    movable: Movable,
    standing: Standing,
    stats: Stats,
    routes: Sequence[RouteEvidence],
    now: float,
    accept: Mapping[str, frozenset[str]],
) -> gate.GateEvidence:
    """What the gate knows of this step. Takes the look that is due."""
    here = standing.position
    step = stats.steps.get(movable.name) or StepCounts(standing.since, here.share)
    seen = [
        gate.RouteSeen(
            one.id,
            Counts(*stats.route(one.id).row()),
            one.last_legacy_at,
            readable=one.safe and not one.new,
            compared=one.compared,
            different=one.different,
            moved=one.moved,
            accept=accept[one.id],
            exercised=(stats.route(one.id).exercised_legacy, stats.route(one.id).exercised_extracted),
        )
        for one in routes
        if one.new_end
    ]
    return gate.gathered(here, step, movable.gate, seen, now, stats.since)


def baseline(table: RouteTable, unit: str, stats: Stats) -> Baseline:
    """The movable's counters now, without routes that have counted nothing."""
    counts = {route.id: stats.route(route.id).compared() for route in routes_of(table, unit)}
    return {route: values for route, values in counts.items() if any(values)}


def _route(route: Route, counts: RouteStats, baseline: Baseline, examples: Examples) -> RouteEvidence:
    before = baseline.get(route.id, (0, 0, 0, 0, 0))
    requests, compared, different, failed, moved = (
        max(now - then, 0) for now, then in zip(counts.compared(), before, strict=True)
    )
    kept = examples(route.id) if different else ()
    return RouteEvidence(
        id=route.id,
        new_end=route.has_new_end,
        safe=route.aggregate is None and (route.methods is None or not route.methods.isdisjoint(SAFE)),
        new=route.new,
        writes=route.methods is None or not route.methods <= SAFE,
        shadowed=route.shadow is not None and route.shadow.pure,
        requests=requests,
        compared=compared,
        different=different,
        failed=failed,
        moved=moved,
        example=kept[0] if kept else None,
        last_legacy_at=counts.last_legacy_at,
    )
