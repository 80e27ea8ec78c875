"""Gathers what a move is judged by: counters since shadow began, one difference, and which new ends answer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from strangler_gateway.migration.journal.journal_entry import Baseline, Standing
from strangler_gateway.migration.move_rules import Evidence, RouteEvidence
from strangler_gateway.table.publish_rules import PublishRules
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.upstream.retry import SAFE

PROBE_TIMEOUT_S = 2.0


Probe = Callable[[Service], Awaitable[str | None]]
"""None if the service accepts a connection, else a sentence."""
BrokerProbe = Callable[[PublishRules], Awaitable[str | None]]
"""None if its messages would arrive, else a sentence."""
Examples = Callable[[str], Sequence[Mapping[str, object]]]
"""The differences of a route that shadow kept, the latest first."""


async def accepts_connection(service: Service) -> str | None:
    """Connects and closes, without a TLS handshake: a wrong certificate shows at the first request."""
    where = service.unix or f"{service.host}:{service.port}"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            if service.unix:
                _, writer = await asyncio.open_unix_connection(service.unix)
            else:
                _, writer = await asyncio.open_connection(service.host, service.port)
    except TimeoutError:
        return f"{service.name} ({where}) accepts no connection: no answer"
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        return f"{service.name} ({where}) accepts no connection: {reason}"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


async def unreachable(routes: Sequence[Route], probe: Probe, broker: BrokerProbe) -> tuple[str, ...]:
    """Which new ends do not answer, each with what to do; all are asked at once."""
    services = {route.extracted.name: route.extracted for route in routes if route.extracted}
    messages = dict.fromkeys(route.publish for route in routes if route.publish)
    answers = await asyncio.gather(*map(probe, services.values()))
    absent = [f"{answer}: start the service, or check its `url:`" for answer in answers if answer]
    return (*absent, *filter(None, await asyncio.gather(*map(broker, messages))))


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
    unreachable: tuple[str, ...] = (),
) -> Evidence:
    """What is known of the movable now."""
    baseline = standing.baseline or {}
    if stats.since > standing.counted_from:
        baseline = {}
    return Evidence(
        routes=tuple(_route(r, stats.route(r.id), baseline, examples) for r in routes_of(table, movable.name)),
        unreachable=unreachable,
        data=movable.data,
        hold=standing.hold,
        entered_at=standing.since,
        counted_since=stats.since,
        now=now,
        retire_after_s=movable.retire_after_s,
    )


def baseline(table: RouteTable, unit: str, stats: Stats) -> Baseline:
    """The movable's counters now, without routes that have counted nothing."""
    counts = {route.id: _counts(stats.route(route.id)) for route in routes_of(table, unit)}
    return {route: values for route, values in counts.items() if any(values)}


def _counts(one: RouteStats) -> tuple[int, int, int, int]:
    return one.legacy + one.extracted, one.shadow_compared, one.shadow_different, one.shadow_failed


def _route(route: Route, counts: RouteStats, baseline: Baseline, examples: Examples) -> RouteEvidence:
    before = baseline.get(route.id, (0, 0, 0, 0))
    requests, compared, different, failed = (
        max(now - then, 0) for now, then in zip(_counts(counts), before, strict=True)
    )
    kept = examples(route.id) if different else ()
    return RouteEvidence(
        id=route.id,
        new_end=route.has_new_end,
        safe=route.methods is None or not route.methods.isdisjoint(SAFE),
        new=route.new,
        writes=route.methods is None or not route.methods <= SAFE,
        shadowed=route.shadow is not None and route.shadow.pure,
        requests=requests,
        compared=compared,
        different=different,
        failed=failed,
        example=kept[0] if kept else None,
        last_legacy_at=counts.last_legacy_at,
    )
