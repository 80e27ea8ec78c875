"""The runner's application on a sandbox in this process, and what its programs do."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx
from starlette.types import ASGIApp

from chassis.auth.credentials import SharedTokens
from extracted.runner.api import application, operators
from extracted.runner.api.monolith import Imitation
from extracted.runner.compile_cache import CompileCache
from extracted.runner.domain import Strategy
from extracted.runner.languages.language import Language, LanguageStep, StepLimits
from extracted.runner.languages.runtimes import Runtime
from extracted.runner.metrics import RunnerMetrics
from extracted.runner.queue import FairQueue, QueueBounds
from extracted.runner.sandbox.port import RunOutcome, RunStatus
from extracted.runner.service import JobService
from extracted.runner.steps import Steps
from tests.unit.extracted.runner.fake_sandbox import FakeSandbox, Program, ok

TOKEN = "of-learning-alone"
OPERATOR = "of-operators-alone"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
LIMITS = StepLimits(wall_s=5, cpu_s=3, memory_mb=64, processes=8, output_kb=64, file_mb=1, open_files=16, box_mb=4)


async def echo(stdin: bytes) -> RunOutcome:
    return ok(stdin)


async def hang(_stdin: bytes) -> RunOutcome:
    await asyncio.sleep(3600)
    raise AssertionError


async def crash(_stdin: bytes) -> RunOutcome:
    return RunOutcome(
        RunStatus.RUNTIME_ERROR, signal=11, stderr=b"\xff", cpu_ms=2, wall_ms=3, peak_kb=4, truncated=True
    )


async def fail(_stdin: bytes) -> RunOutcome:
    return RunOutcome(RunStatus.SANDBOX_ERROR, detail="no fork")


async def swell(_stdin: bytes) -> RunOutcome:
    return RunOutcome(RunStatus.MEMORY_LIMIT, exit_code=0, stdout=b"4\n")


PROGRAMS: Mapping[str, Program] = {"echo": echo, "hang": hang, "crash": crash, "fail": fail, "swell": swell}


def language(name: str, *, compiled: bool = False) -> Language:
    word = "{program}/main" if compiled else "{source}"
    return Language(
        name=name,
        source="main.txt",
        class_name=None,
        version_command=("it",),
        version_pattern=re.compile("(x)"),
        environment={},
        readable=(),
        compile=LanguageStep(("compiler", "{source}"), LIMITS, False, ()) if compiled else None,
        keep=("main",) if compiled else (),
        run=LanguageStep((word,), LIMITS, False, ()),
    )


@dataclass
class Served:
    app: ASGIApp
    sandbox: FakeSandbox
    service: JobService
    queue: FairQueue
    client: httpx.AsyncClient

    async def run(self, source: str, **settings: object) -> httpx.Response:
        workload = {"sourceCode": source, "stdin": ["a", "b"], "settings": {"language": "PYTHON", **settings}}
        return await self.client.post("/run", json=workload)

    async def job(self, source: str, language: str = "PYTHON", runs: int = 1, **fields: object) -> httpx.Response:
        lines = [{"stdin": [str(number)]} for number in range(runs)]
        return await self.send({"language": language, "source": source, "inputs": lines} | fields)

    async def send(self, body: object) -> httpx.Response:
        return await self.client.post("/jobs", json=body, headers=AUTHORIZED)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def served(
    folder: Path, *, strategy: Strategy = Strategy.FORKEXEC, timeout_s: float = 5, turns: int = 2, jobs: int = 100
) -> AsyncIterator[Served]:
    sandbox = FakeSandbox(PROGRAMS)
    queue = FairQueue(QueueBounds(turns, jobs, jobs, 1 << 20), monotonic)
    cache = CompileCache(folder, entries=10, size_bytes=1000)
    metrics = RunnerMetrics(queue, cache)
    service = JobService(queue, cache, Steps(sandbox, queue, metrics), monotonic)
    known = (language("PYTHON"), language("RUST", compiled=True))
    app = application.application(
        service,
        {one.name: Runtime(one, "3.11.2", {}, "/bin", ()) for one in known},
        Imitation(strategy, timeout_s),
        metrics.blocks,
        callers=SharedTokens(TOKEN),
        production=True,
        clock=monotonic,
        operators=[*operators.routes(queue, OPERATOR)],
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://runner") as client:
        yield Served(app, sandbox, service, queue, client)
