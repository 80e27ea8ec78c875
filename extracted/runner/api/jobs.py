"""The runner's own API, for Learning: POST /jobs, GET /runtimes. Both are for services alone."""

from collections.abc import Iterator, Mapping
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.auth.credentials import CallerCheck, guarded, refused
from extracted.runner.api import job_body
from extracted.runner.api.job_body import JobRefused
from extracted.runner.job import JobResult
from extracted.runner.languages.runtimes import Runtime
from extracted.runner.queue import QueueFull, Stopping
from extracted.runner.sandbox.port import RunOutcome
from extracted.runner.service import JobService

log = structlog.get_logger("runner.api")


def routes(service: JobService, runtimes: Mapping[str, Runtime], callers: CallerCheck) -> Iterator[Route]:
    """Jobs, then runtimes."""
    yield Route("/jobs", guarded(callers, partial(_run, service, runtimes)), methods=["POST"])
    yield Route("/runtimes", guarded(callers, partial(_runtimes, runtimes)))


async def _run(service: JobService, runtimes: Mapping[str, Runtime], request: Request) -> Response:
    content = await _content(request)
    if content is None:
        return refused(413, f"the body is too long; wanted are at most {job_body.MOST_BYTES} bytes")
    try:
        result = await service.run(job_body.read(content, runtimes))
    except JobRefused as refusal:
        return JSONResponse({"error": str(refusal), "field": refusal.field}, 400)
    except QueueFull as error:
        return _later(429, str(error), error.retry_after_s)
    except Stopping:
        return _later(503, "this runner is about to end", 1)
    return JSONResponse(_shown(result))


async def _content(request: Request) -> bytes | None:
    """None: it is too long."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > job_body.MOST_BYTES:
            return None
    return content


def _later(status: int, why: str, after_s: int) -> Response:
    response = refused(status, why)
    response.headers["retry-after"] = str(after_s)
    return response


async def _runtimes(runtimes: Mapping[str, Runtime], _request: Request) -> Response:
    found = [
        {"language": name, "version": runtime.version, "compiled": runtime.language.compile is not None}
        for name, runtime in sorted(runtimes.items())
    ]
    return JSONResponse({"runtimes": found})


def _shown(result: JobResult) -> dict[str, object]:
    compiled = {} if result.compilation is None else {"compile": _outcome(result.compilation)}
    return compiled | {"results": [_outcome(run) for run in result.runs]}


def _outcome(run: RunOutcome) -> dict[str, object]:
    return {
        "status": run.status.value,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "stdout": run.stdout.decode(errors="replace"),
        "stderr": run.stderr.decode(errors="replace"),
        "cpu_ms": run.cpu_ms,
        "wall_ms": run.wall_ms,
        "peak_kb": run.peak_kb,
        "truncated": run.truncated,
    }
