"""The proxy that most people write first: a Starlette route around `httpx.AsyncClient`, on uvicorn.

`python -m benchmarks.common.naive PORT UPSTREAM_URL`. It is not worse than usual: it streams both ways, drops
hop-by-hop fields, uses one client for all requests and writes no access log.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"}


async def proxy(request: Request) -> StreamingResponse:
    client: httpx.AsyncClient = request.app.state.client
    outgoing = client.build_request(
        request.method,
        str(request.url.path),
        params=request.query_params,
        headers=[(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP],
        content=request.stream() if request.method in {"POST", "PUT", "PATCH"} else None,
    )
    response = await client.send(outgoing, stream=True)
    headers = {name: value for name, value in response.headers.items() if name not in _HOP_BY_HOP}
    return StreamingResponse(
        response.aiter_raw(), response.status_code, headers, background=BackgroundTask(response.aclose)
    )


def application(upstream: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=upstream, timeout=60) as client:
            app.state.client = client
            yield

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", proxy, methods=methods)], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False
    )
