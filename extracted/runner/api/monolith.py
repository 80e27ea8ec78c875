"""The three routes of the monolith's runner (contract §7), which the unchanged monolith calls."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from chassis.service.metrics import Histogram, Metric, rendered
from extracted.runner import domain
from extracted.runner.api.node import MEDIA_TYPE
from extracted.runner.domain import LANGUAGES, Strategy
from extracted.runner.job import Job, OwnLimits
from extracted.runner.languages.runtimes import Runtime
from extracted.runner.queue import QueueFull, Stopping
from extracted.runner.sandbox.port import RunOutcome, RunStatus
from extracted.runner.service import JobService
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest, ApiRoute
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import ARRAY, STRING, STRINGS, Shape, nested, one_of, optional, required

WAITS_S: Final = 600
"""How long a run may wait for its turn: the monolith's client has no time-out of its own."""
OUTPUT_BYTES: Final = 1 << 20
"""The monolith's runner has no limit on output."""
_SHAPE: Final[Shape] = {
    "sourceCode": required(STRING),
    "stdin": required(ARRAY, STRINGS),
    "settings": nested(
        {"language": required(one_of(LANGUAGES)), "version": optional(STRING), "image": optional(STRING)}
    ),
}
_TOO_LONG: Final = (RunStatus.TIME_LIMIT, RunStatus.CPU_LIMIT)
_LIMITED: Final = (RunStatus.MEMORY_LIMIT, RunStatus.OUTPUT_LIMIT, RunStatus.PROCESS_LIMIT)


@dataclass(frozen=True, slots=True)
class Imitation:
    """Whose answers are given, and the time limit of a run."""

    strategy: Strategy
    timeout_s: float

    def limits(self) -> OwnLimits:
        """Of a run: the monolith's runner knows no other than the time."""
        return OwnLimits(wall_s=self.timeout_s, cpu_s=self.timeout_s + 1, output_bytes=OUTPUT_BYTES)

    def answer(self, run: RunOutcome) -> ApiResponse:
        """The answer to a run."""
        if run.status is RunStatus.SANDBOX_ERROR:
            return responses.error(500, "the sandbox failed", "Internal Server Error")
        stdout, stderr = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
        if run.status in _TOO_LONG:
            return responses.one(domain.timed_out(self.strategy, stdout, stderr, self.timeout_s), 201)
        code = domain.exit_code(self.strategy, run.exit_code, run.signal, limited=run.status in _LIMITED)
        return responses.one({"stdout": stdout, "stderr": stderr, "exitCode": code}, 201)


def routes(
    service: JobService,
    runtimes: Mapping[str, Runtime],
    imitation: Imitation,
    metrics: Callable[[], Iterator[Metric | Histogram]],
) -> Iterator[ApiRoute]:
    """Run, health, metrics."""
    yield ApiRoute("POST", "/run", partial(_run, service, runtimes, imitation))
    yield ApiRoute("GET", "/health", _health)
    yield ApiRoute("GET", "/metrics", partial(_metrics, metrics))


async def _run(
    service: JobService, runtimes: Mapping[str, Runtime], imitation: Imitation, request: ApiRequest
) -> ApiResponse:
    if (refusal := validation.refusal(_SHAPE, request.body)) is not None:
        return refusal
    assert isinstance(request.body, dict)
    body: dict[str, Any] = request.body
    language, version = body["settings"]["language"], body["settings"].get("version")
    runtime = runtimes.get(language)
    if runtime is None or not domain.accepts(imitation.strategy, language, version):
        return responses.error(400, domain.unsupported(language, version), "Bad Request")
    stdin = ("\n".join(body["stdin"]) + "\n").encode(errors="replace")
    deadline_s = WAITS_S + imitation.timeout_s
    try:
        result = await service.run(
            Job(runtime, body["sourceCode"], [stdin], deadline_s, None, imitation.limits(), keep_stdin_open=True)
        )
    except (QueueFull, Stopping) as error:
        return busy(error)
    return imitation.answer(result.runs[0])


def busy(error: QueueFull | Stopping) -> ApiResponse:
    """429 or 503, in the monolith's form, with Retry-After."""
    full = isinstance(error, QueueFull)
    after = error.retry_after_s if isinstance(error, QueueFull) else 1
    fault = responses.error(429, "Too Many Requests") if full else responses.UNAVAILABLE
    return ApiResponse(fault.status, fault.body, fields=((b"retry-after", b"%d" % after),))


async def _health(_request: ApiRequest) -> ApiResponse:
    return responses.one({"status": "ok"})


async def _metrics(metrics: Callable[[], Iterator[Metric | Histogram]], _request: ApiRequest) -> ApiResponse:
    return ApiResponse(200, rendered(*metrics()).encode(), media_type=MEDIA_TYPE)
