"""Contract section 9: health and metrics."""

from examples.monolith.auth.access import OPEN
from examples.monolith.http.metrics import MEDIA_TYPE
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.routing import CheckedRequest, Endpoint


async def health(_request: CheckedRequest) -> ResponseContent:
    return data_response({"status": "ok"})


async def metrics(request: CheckedRequest) -> ResponseContent:
    return ResponseContent(200, request.monolith.metrics.text().encode(), MEDIA_TYPE)


ENDPOINTS = (
    Endpoint("GET", "/health", health, OPEN),
    Endpoint("GET", "/metrics", metrics, OPEN),
)
