"""What was seen: plain integers per route."""

import contextlib
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from strangler_gateway.exchange.decision import STATE_EXTRACTED
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.table.routes import MigrationState, Route, Side
from strangler_gateway.table.rules.accept import names_at
from strangler_gateway.telemetry.exercised import DAY_S, Exercised
from strangler_gateway.telemetry.histogram import SECONDS, ratio
from strangler_gateway.telemetry.migration_steps import counts as step_counts
from strangler_gateway.telemetry.migration_steps.counts import StepCounts
from strangler_gateway.telemetry.migration_steps.parity import DIFFERENT, MOVED
from strangler_gateway.telemetry.publish_stats import Published
from strangler_gateway.telemetry.runs import CountedRun, ended, following, run_from_json
from strangler_gateway.telemetry.user_sketch import Hashed, Users

MAX_SHAPES = 500
SAME_MOMENT_S = 0.01
"""The journal keeps milliseconds."""
_LEGACY: Final = Side.LEGACY
Compared = tuple[int, int, int, int, int]
_EQUAL: Final = (1, 1)
_UPSTREAM_FAILED: Final = (b"connect", b"response", b"body", b"publish", b"aggregate")
COUNTERS: Final = (
    "legacy",
    "extracted",
    "errors_legacy",
    "errors_extracted",
    "unanswered_legacy",
    "failovers",
    "overrides_legacy",
    "client_gone",
    "own_replies",
    "shadow_compared",
    "shadow_different",
    "shadow_accepted",
    "shadow_moved",
    "shadow_failed",
    "shadow_skipped",
    "unserialized",
    "serialize_unavailable",
    "limited",
    "limit_unavailable",
    "aggregated",
)
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[^/]*\d[^/]*|[^/]{25,}|[^/]*[^\x21-\x7e][^/]*|[^/]*[@%][^/]*")


class RouteStats:
    """Counters of one route since `Stats.since`. Durations: histograms with the edges `histogram.SECONDS`."""

    __slots__ = (
        *COUNTERS,
        "durations_extracted",
        "durations_legacy",
        "exercised_extracted",
        "exercised_legacy",
        "last_legacy_at",
        "seconds_extracted",
        "seconds_legacy",
        "statuses_extracted",
        "statuses_legacy",
        "users_extracted",
        "users_legacy",
    )

    legacy: int
    extracted: int
    errors_legacy: int
    """Of the monolith's own: its 5xx, and its answers that broke off."""
    errors_extracted: int
    """Of the new end: its 5xx, and what it did not answer."""
    unanswered_legacy: int
    """5xx of the gateway's own, in place of the monolith's answer."""
    failovers: int
    overrides_legacy: int
    client_gone: int
    own_replies: int
    shadow_compared: int
    shadow_different: int
    shadow_accepted: int
    """Of those that differ: in nothing but what `accept:` named at that moment."""
    shadow_moved: int
    shadow_failed: int
    shadow_skipped: int
    unserialized: int
    serialize_unavailable: int
    """Of the gateway's own answers: 503, because Redis gave no turn."""
    limited: int
    """Of the gateway's own answers: 429."""
    limit_unavailable: int
    aggregated: int
    """Requests that were calls of an aggregate."""

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)
        self.last_legacy_at = 0.0
        self.seconds_legacy = self.seconds_extracted = 0.0
        self.durations_legacy = [0] * (len(SECONDS) + 1)
        self.durations_extracted = [0] * (len(SECONDS) + 1)
        self.statuses_legacy: dict[int, int] = {}
        self.statuses_extracted: dict[int, int] = {}
        self.exercised_legacy, self.exercised_extracted = Exercised(), Exercised()
        self.users_legacy: Users | None = None
        self.users_extracted: Users | None = None

    def snapshot(self) -> dict[str, Any]:
        """Counters as JSON-able values (durations are of this process alone)."""
        exercised = [self.exercised_legacy.snapshot(), self.exercised_extracted.snapshot()]
        return {**{name: getattr(self, name) for name in (*COUNTERS, "last_legacy_at")}, "exercised": exercised}

    def restore(self, saved: dict[str, Any]) -> None:
        """Continues from a snapshot; unknown or odd entries are left out."""
        for name in COUNTERS:
            value = saved.get(name)
            if isinstance(value, int) and value >= 0:
                setattr(self, name, value)
        at = saved.get("last_legacy_at")
        self.last_legacy_at = float(at) if isinstance(at, int | float) else 0.0
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            self.add_exercised(saved.get("exercised", ()))

    def add_exercised(self, saved: Any) -> None:
        """Adds what both sides were asked for, legacy's first. Raises TypeError, ValueError, AttributeError."""
        for one, told in zip((self.exercised_legacy, self.exercised_extracted), saved, strict=False):
            one.add(told)

    def compared(self) -> Compared:
        """Requests; answers that shadow compared, that differed, that failed, and whose data had moved."""
        requests = self.legacy + self.extracted
        return requests, self.shadow_compared, self.shadow_different, self.shadow_failed, self.shadow_moved

    def add(self, saved: Mapping[str, Any]) -> None:
        """Adds a snapshot of another gateway. Raises LookupError, TypeError, ValueError: a missing number is no 0."""
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + step_counts.number(saved[name]))
        self.last_legacy_at = max(self.last_legacy_at, float(saved["last_legacy_at"]))
        self.add_exercised(saved.get("exercised", ()))

    @property
    def shadow_differing(self) -> int:
        """Compared answers that differed in what nothing accepted."""
        return max(self.shadow_different - self.shadow_accepted, 0)

    def row(self) -> step_counts.Row:
        """All failures and requests of the new side (fail-overs are both), then of legacy."""
        failed_new, new = self.errors_extracted + self.failovers, self.extracted + self.failovers
        return failed_new, new, self.errors_legacy + self.unanswered_legacy, self.legacy


class Stats:
    """All routes' counters, and undeclared traffic by path shape (bounded)."""

    def __init__(self, wall: Callable[[], float] = time.time, hashed: Hashed = hash) -> None:
        """`hashed`: of users; processes whose users are added up have the same."""
        self.hashed = hashed
        self.by_route: dict[str, RouteStats] = {}
        self.undeclared: dict[str, int] = {}
        self.published: dict[str, Published] = {}
        """Of routes that publish, in this process alone."""
        self.calls: dict[tuple[str, str, str], int] = {}
        """Of aggregates, by route, call and result, in this process alone."""
        self.steps: dict[str, StepCounts] = {}
        """By movable in shadow, canary or extracted: what this step has shown."""
        self.exchanges: dict[str, int] = {"exchanged": 0, "refused": 0, "failed": 0}
        """Credentials asked for in exchange for tokens, by outcome, in this process alone."""
        self.refused = self.overloaded = 0
        """What never became a request."""
        self.wall = wall
        self.day = int(wall() // DAY_S)
        self.since = self.started = wall()
        self.runs: list[CountedRun] = [CountedRun(self.started)]
        """The processes that counted since `since`, this one last."""
        self.anew: dict[str, Compared] | None = None
        """By route, what was counted when counting began anew for the steps under way; None: it never has."""
        self.anew_at = 0.0

    def exchanged(self, outcome: str) -> None:
        """Counts a question for a credential: exchanged, refused or failed."""
        self.exchanges[outcome] += 1

    def refuse(self, *, overloaded: bool = False) -> None:
        """Counts what never became a request; `overloaded`: because there was too much to do."""
        if overloaded:
            self.overloaded += 1
        else:
            self.refused += 1

    def called(self, route_id: str, call: str, result: str, count: int = 1) -> None:
        """Calls of an aggregate have ended."""
        key = route_id, call, result
        self.calls[key] = self.calls.get(key, 0) + count

    def route(self, route_id: str) -> RouteStats:
        """The counters of a route, made on first use."""
        stats = self.by_route.get(route_id)
        if stats is None:
            stats = self.by_route[route_id] = RouteStats()
        return stats

    def count(self, exchange: Exchange, seconds: float) -> None:
        """A request has ended: towards which side, how, how long it took."""
        route, decision = exchange.route, exchange.decision
        stats = self.by_route.get(route.id) or self.route(route.id)
        if decision is None:
            stats.own_replies += 1
            return
        status, bad, own = exchange.status, False, False
        if status >= 500 or exchange.stage:
            bad, own = _failed(exchange)
            stats.client_gone += exchange.stage == b"client"
        identity, duration = exchange.identity, bisect_left(SECONDS, seconds)
        user = identity.subject if identity is not None else exchange.head.authorization
        if decision.side is _LEGACY:
            stats.legacy += 1
            if bad:
                stats.unanswered_legacy += own
                stats.errors_legacy += not own
            stats.last_legacy_at = self.wall()
            stats.durations_legacy[duration] += 1
            stats.seconds_legacy += seconds
            statuses, users, exercised = stats.statuses_legacy, stats.users_legacy, stats.exercised_legacy
        else:
            stats.extracted += 1
            if bad:
                bad = not own or exchange.stage != b""
                stats.errors_extracted += bad
            stats.durations_extracted[duration] += 1
            stats.seconds_extracted += seconds
            statuses, users, exercised = stats.statuses_extracted, stats.users_extracted, stats.exercised_extracted
        if user:
            (users or _users(stats, decision.side)).add(self.hashed(user))
        statuses[status] = statuses.get(status, 0) + 1
        seen = exchange.method, status, identity.roles if identity is not None else (), self.day
        if seen not in exercised.known:
            exercised.saw(*seen)
        if exchange.called_by:
            stats.aggregated += 1
        if decision is STATE_EXTRACTED:
            step_counts.count_extracted(self.steps, exchange, bad, self.wall)
        elif exchange.bucket is not None:
            step_counts.count(self.steps, exchange, bad, self.wall, duration)
        if route.undeclared:
            self.count_shape(path_shape(exchange.method, exchange.head.path))

    def tick(self) -> None:
        """Call it now and then: it may be another day."""
        self.day = int(self.wall() // DAY_S)

    def shadowed(self, exchange: Exchange, status: int) -> None:
        """The new side was asked in shadow, too."""
        roles = exchange.identity.roles if exchange.identity is not None else ()
        self.route(exchange.route.id).exercised_extracted.saw(exchange.method, status, roles, self.day)

    def compared(self, route: Route, status: int, outcome: int, names: Sequence[str]) -> None:
        """Shadow has compared two answers. `status`: legacy's; `names`: of lasting differences."""
        stats, step = self.route(route.id), self.steps.get(route.movable.name)
        stats.shadow_compared += 1
        if outcome == DIFFERENT:
            stats.shadow_different += 1
            stats.shadow_accepted += bool(names) and names_at(route.accept, self.wall()).issuperset(names)
        stats.shadow_moved += outcome == MOVED
        if step is not None and route.movable.state is MigrationState.SHADOW:
            step.parity.compared(route.id, status, outcome, names)

    def pair(self, route: Route, seconds: tuple[float, float], sizes: tuple[int, int] | None) -> None:
        """Shadow has compared two answers, legacy's first. `sizes`: None where their codings differ."""
        step = self.steps.get(route.movable.name)
        if step is not None and route.movable.state is MigrationState.SHADOW:
            step.timings.pair(route.id, ratio(*seconds, route.movable.gate.latency_slack_s), ratio(*sizes or _EQUAL))

    def begin_step(self, unit: str, since: float, share: int, routes: Sequence[str]) -> None:
        """The movable has moved; goes on where its step is counted already (after a restart, or with a new file)."""
        known, rows = self.steps.get(unit), {route: self.route(route).row() for route in routes}
        if known is not None and known.share == share and abs(known.since - since) < SAME_MOMENT_S:
            known.before = rows | known.before
            return
        step = self.steps[unit] = StepCounts(since, share)
        step.asked = known.asked_so_far() if known is not None else frozenset()
        step.before = rows

    def end_steps(self, unit: str) -> None:
        """The movable is back on legacy, or retired."""
        self.steps.pop(unit, None)

    def first_failures(self, unit: str) -> dict[str, Any] | None:
        """See `StepCounts.first_failures`; None where no step is counted."""
        step = self.steps.get(unit)
        return step.first_failures() if step is not None else None

    def forget(self, unit: str, routes: Collection[str] | None) -> list[str]:
        """See `StepCounts.forget`."""
        step = self.steps.get(unit)
        return step.forget(routes) if step is not None else []

    def begin_anew(self) -> None:
        """Nothing counts any more for the steps under way: a part of what all gateways counted is lost."""
        self.anew_at = self.wall()
        self.anew = {name: stats.compared() for name, stats in self.by_route.items()}
        for unit, known in self.steps.items():
            step = self.steps[unit] = StepCounts(known.since, known.share)
            step.before = {route: self.route(route).row() for route in known.before}

    def part(self, routes: Iterable[str], units: Iterable[str]) -> dict[str, Any]:
        """Counters of these routes and steps of these movables, JSON-able, for the sum over all gateways."""
        return {
            "since": max(self.since, self.anew_at),
            "routes": {name: self.route(name).snapshot() for name in routes},
            "undeclared": dict(self.undeclared),
            "steps": {unit: self.steps[unit].part() for unit in units if unit in self.steps},
        }

    def add(self, part: Mapping[str, Any]) -> None:
        """Adds a part of another gateway's counters; each step must be the same. Raises what `RouteStats.add` does."""
        self.since = max(self.since, float(part["since"]))
        for name, saved in part["routes"].items():
            self.route(str(name)).add(saved)
        for shape, requests in part["undeclared"].items():
            self.undeclared[str(shape)] = self.undeclared.get(str(shape), 0) + step_counts.number(requests)
        for unit, saved in part["steps"].items():
            step = StepCounts.restored(saved)
            self.steps.setdefault(str(unit), StepCounts(step.since, step.share)).add(step)

    def stop(self) -> None:
        """Nothing is counted any more; what comes next is written."""
        self.runs = ended(self.runs, self.wall())

    def go_on(self) -> None:
        """Another process was to go on counting, and has not."""
        self.runs = following(self.runs, CountedRun(self.wall()))

    def count_shape(self, shape: str, count: int = 1) -> None:
        """Undeclared traffic of this shape."""
        if shape not in self.undeclared and len(self.undeclared) >= MAX_SHAPES:
            shape = "other"
        self.undeclared[shape] = self.undeclared.get(shape, 0) + count

    def snapshot(self) -> dict[str, Any]:
        """Everything that outlives the process."""
        return {
            "since": self.since,
            "routes": {name: stats.snapshot() for name, stats in self.by_route.items()},
            "undeclared": dict(self.undeclared),
            "steps": {unit: step.snapshot() for unit, step in self.steps.items()},
            "runs": [run.to_json() for run in self.runs],
        }

    def restore(self, saved: dict[str, Any]) -> list[str]:
        """Continues from a snapshot; the movables whose steps cannot be read, and begin anew."""
        self.since = float(saved.get("since", self.since))
        for name, values in saved.get("routes", {}).items():
            self.route(name).restore(values)
        self.undeclared.update({str(k): int(v) for k, v in saved.get("undeclared", {}).items()})
        with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
            self.runs = following([run_from_json(run) for run in saved.get("runs", ())], self.runs[-1])
        steps, unread = saved.get("steps", {}), []
        for unit, step in steps.items() if isinstance(steps, dict) else ():
            try:
                self.steps[unit] = StepCounts.restored(step)
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
                unread.append(str(unit))
        return unread if isinstance(steps, dict) else ["all groups"]


def _failed(exchange: Exchange) -> tuple[bool, bool]:
    """Of a request with a status of 5xx or a stage: whether it failed, and whether the gateway answered itself."""
    is_error = exchange.status >= 500
    own = is_error and exchange.answered_here and exchange.proxy_status != b""
    return is_error or exchange.stage in _UPSTREAM_FAILED, own


def _users(stats: RouteStats, side: Side) -> Users:
    """The sketch of a side, made with its first user: most routes of most gateways have none."""
    users = Users()
    if side is Side.LEGACY:
        stats.users_legacy = users
    else:
        stats.users_extracted = users
    return users


def path_shape(method: bytes, path: bytes) -> str:
    """`GET /a/{}/b`: segments that look like data are folded, so that shapes stay few and hold nobody's data."""
    segments = path.decode("latin-1").split("/")
    shape = "/".join("{}" if _VARIABLE.fullmatch(s) else s for s in segments[:12])
    return f"{method.decode('latin-1')[:16]} {shape}"
