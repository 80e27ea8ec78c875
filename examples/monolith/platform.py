"""Contract section 9: health and metrics."""

from examples.monolith.access import OPEN
from examples.monolith.routing import Call, Route
from examples.monolith.wire import Answer, enveloped

METRICS_TYPE = "text/plain; charset=utf-8; version=0.0.4"


async def health(_call: Call) -> Answer:
    return enveloped({"status": "ok"})


async def metrics(call: Call) -> Answer:
    return Answer(200, call.monolith.metrics.text().encode(), METRICS_TYPE)


ROUTES = (
    Route("GET", "/health", health, OPEN),
    Route("GET", "/metrics", metrics, OPEN),
)
