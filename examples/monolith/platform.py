"""Contract section 9: health and metrics."""

from examples.monolith.auth.access import OPEN
from examples.monolith.http.metrics import MEDIA_TYPE
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route


async def health(_call: Call) -> Answer:
    return enveloped({"status": "ok"})


async def metrics(call: Call) -> Answer:
    return Answer(200, call.monolith.metrics.text().encode(), MEDIA_TYPE)


ROUTES = (
    Route("GET", "/health", health, OPEN),
    Route("GET", "/metrics", metrics, OPEN),
)
