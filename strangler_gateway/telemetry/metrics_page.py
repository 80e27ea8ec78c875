"""The gateway's counters for Prometheus. Labels hold words of routes.yaml, never what a client sent."""

from collections.abc import Iterator, Sequence

from chassis.service.metrics import Histogram, Metric
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry import publish_stats
from strangler_gateway.telemetry.histogram import SECONDS, coarse
from strangler_gateway.telemetry.publish_stats import Published
from strangler_gateway.telemetry.stats import RouteStats, Stats

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_HELP = {
    "unanswered_legacy": "Requests that the gateway answered with a 5xx because the monolith did not answer.",
    "failovers": "Safe requests that went to the monolith because the service failed.",
    "overrides_legacy": "Requests that a caller with the debug credential sent to the monolith.",
    "client_gone": "Requests whose client left before the answer was complete.",
    "own_replies": "Requests that the gateway answered itself.",
    "shadow_compared": "Answers of monolith and service that were compared.",
    "shadow_accepted": "Compared answers that differ in nothing but what `accept:` names.",
    "shadow_moved": "Compared answers that differed only until both sides were read again.",
    "shadow_failed": "Second calls without an answer that can be compared.",
    "shadow_skipped": "Requests in shadow that were not compared.",
    "aggregated": "Requests that were calls of an aggregate.",
    "unserialized": "Writes that were not alone: their turn did not come in time, or ended before them.",
    "serialize_unavailable": "Writes that were refused because Redis could not tell whose turn it is.",
    "limited": "Requests over a rate limit.",
    "limit_unavailable": "Requests that Redis could not count: counted by this gateway alone, or refused.",
}
"""By counter of RouteStats."""


def request_metrics(stats: Stats, table: RouteTable) -> Iterator[Metric | Histogram]:
    """What became of requests and messages, by route of the table."""
    routes = [(route.id, stats.by_route[route.id]) for route in table.routes if route.id in stats.by_route]
    yield _requests(routes)
    for counter, text in _HELP.items():
        samples = [({"route": name}, getattr(one, counter)) for name, one in routes]
        yield Metric(f"strangler_{counter}_total", "counter", text, samples)
    differing = [({"route": name}, one.shadow_differing) for name, one in routes]
    yield Metric("strangler_shadow_different_total", "counter", "Compared answers that differ.", differing)
    yield _durations(routes)
    undeclared = sum(stats.undeclared.values())
    yield Metric("strangler_refused_total", "counter", "What never became a request.", [({}, stats.refused)])
    yield Metric(
        "strangler_overload_refused_total",
        "counter",
        "Requests refused because the gateway could not keep up.",
        [({}, stats.overloaded)],
    )
    yield Metric("strangler_undeclared_total", "counter", "Requests without a declared route.", [({}, undeclared)])
    exchanges = [({"outcome": outcome}, count) for outcome, count in stats.exchanges.items()]
    yield Metric(
        "strangler_credential_exchanges_total", "counter", "Tokens for which a credential was asked for.", exchanges
    )
    publishing = [(route.id, stats.published.get(route.id, Published())) for route in table.routes if route.publish]
    if publishing:
        yield from _publishing(publishing)
    if any(route.aggregate for route in table.routes):
        yield _calls(stats, table)


def _requests(routes: Sequence[tuple[str, RouteStats]]) -> Metric:
    samples = [
        ({"route": name, "side": side, "status": str(status)}, count)
        for name, one in routes
        for side, statuses in (("legacy", one.statuses_legacy), ("extracted", one.statuses_extracted))
        for status, count in sorted(statuses.items())
    ]
    return Metric("strangler_requests_total", "counter", "Requests by the side they went to.", samples)


def _durations(routes: Sequence[tuple[str, RouteStats]]) -> Histogram:
    series = [
        ({"route": name, "side": side}, coarse(counts, SECONDS, BUCKETS_S), seconds)
        for name, one in routes
        for side, counts, seconds in zip(
            ("legacy", "extracted"),
            (one.durations_legacy, one.durations_extracted),
            (one.seconds_legacy, one.seconds_extracted),
            strict=True,
        )
    ]
    return Histogram("strangler_request_duration_seconds", "Duration of requests.", BUCKETS_S, series)


def _calls(stats: Stats, table: RouteTable) -> Metric:
    """Of calls that the table has."""
    known = {(route.id, call.name) for route in table.routes if route.aggregate for call in route.aggregate.calls}
    samples = [
        ({"route": route, "call": call, "result": result}, count)
        for (route, call, result), count in sorted(stats.calls.items())
        if (route, call) in known
    ]
    return Metric("strangler_aggregate_calls_total", "counter", "Calls of aggregates by their result.", samples)


def _publishing(routes: Sequence[tuple[str, Published]]) -> Iterator[Metric | Histogram]:
    confirmed = [({"route": name}, one.confirmed) for name, one in routes]
    yield Metric("strangler_published_total", "counter", "Messages that the broker confirmed.", confirmed)
    for what, label, text in (
        ("failures", "reason", "Requests whose message the broker did not confirm."),
        ("outcomes", "outcome", "Published messages by the consumer's reply."),
    ):
        samples = [
            ({"route": name, label: word}, count)
            for name, one in routes
            for word, count in sorted(getattr(one, what).items())
        ]
        yield Metric(f"strangler_publish_{what}_total", "counter", text, samples)
    for what, text in (("confirm", "Until the broker's confirm."), ("reply", "Until the consumer's reply.")):
        series = [({"route": name}, getattr(one, what).counts, getattr(one, what).seconds) for name, one in routes]
        yield Histogram(f"strangler_publish_{what}_seconds", text, publish_stats.BUCKETS_S, series)
