"""Durations and sizes of both sides, judged by rule 3 (docs/decisions/gates.md): pairs in shadow, else histograms."""

from collections.abc import Mapping
from typing import NamedTuple

from strangler_gateway.evidence import latency
from strangler_gateway.evidence.latency import Measured, Question, Ratio, TimingEvidence
from strangler_gateway.table.position import WHOLE, Position
from strangler_gateway.table.routes import GateRules, MigrationState
from strangler_gateway.telemetry.histogram import BYTES, RATIOS, SECONDS, SLACK_BYTES, summed
from strangler_gateway.telemetry.migration_steps.timings import RouteTimings, StepTimings

_SHOWN = (0.5, 0.95)
_MEASURED = (MigrationState.SHADOW, MigrationState.CANARY, MigrationState.EXTRACTED)
_ALONE = (
    "{} legacy has no requests to compare with: the last comparison is in the journal, with the step; "
    "`holdback: 1%` in the plan keeps some users on legacy in extracted"
)


class Timed(NamedTuple):
    """Of one movable. None: nothing is judged."""

    latency: TimingEvidence | None = None
    size: TimingEvidence | None = None
    off: str = ""
    """Why nothing is judged, if that is no setting."""
    skips_s: float = 0.0
    """How long it takes until answers count."""
    quantiles: tuple[float, ...] = ()
    """In canary, of durations in seconds: p50 of legacy and the new side, then p95 of both."""


def timed(position: Position, timings: StepTimings, rules: GateRules) -> Timed:
    """What this step has shown lately; of a step with little traffic, all that it has shown."""
    if position.state not in _MEASURED:
        return Timed(off=f"nothing is measured for it in {position}")
    if position.state is MigrationState.CANARY and position.share == WHOLE:
        return Timed(off=_ALONE.format("at a share of 100 %"))
    if position.state is MigrationState.EXTRACTED and not any(map(_has_legacy, timings.routes.values())):
        return Timed(off=_ALONE.format("in extracted"))
    found = _pairs(timings, rules) if position.state is MigrationState.SHADOW else _canary(timings, rules)
    return found._replace(skips_s=max(rules.latency_skip_s - timings.age_s, 0.0))


def _has_legacy(route: RouteTimings) -> bool:
    return any(route.seconds_legacy)


def _pairs(timings: StepTimings, rules: GateRules) -> Timed:
    routes = _counted(timings, "second_pairs", rules.min_pairs)

    def judged(questions: tuple[Question, ...], name: str) -> TimingEvidence:
        histograms = {route: getattr(one, name) for route, one in routes.items()}
        return latency.judge_pairs(questions, histograms, RATIOS, rules.p95_ratio, rules.min_pairs)

    return Timed(
        judged(latency.SLOW_PAIRS, "second_pairs") if rules.latency else None,
        judged(latency.SIZE_PAIRS, "byte_pairs") if rules.sizes else None,
    )


def _canary(timings: StepTimings, rules: GateRules) -> Timed:
    routes, least, times = _counted(timings, "seconds_new", rules.min_latency), rules.min_latency, rules.p95_ratio
    seconds = {route: Measured(one.seconds_legacy, one.seconds_new) for route, one in routes.items()}
    sizes = {route: Measured(one.bytes_legacy, one.bytes_new) for route, one in routes.items()}
    slow = latency.judge_histograms(latency.SLOW, seconds, SECONDS, Ratio(times, rules.latency_slack_s), least)
    other = latency.judge_histograms(latency.SIZES, sizes, BYTES, Ratio(times, SLACK_BYTES), least)
    pooled = [summed(side, len(SECONDS) + 1) for side in (zip(*seconds.values(), strict=True) if seconds else ())]
    quantiles = tuple(latency.quantile(side, SECONDS, part) for part in _SHOWN for side in pooled)
    return Timed(slow if rules.latency else None, other if rules.sizes else None, quantiles=quantiles)


def _counted(timings: StepTimings, name: str, least: int) -> Mapping[str, RouteTimings]:
    recent = timings.recent()
    return recent if sum(sum(getattr(one, name)) for one in recent.values()) >= least else timings.routes
