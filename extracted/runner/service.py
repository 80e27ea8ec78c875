"""The use case: compiles a source once, and runs it with each of its inputs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from extracted.runner.compile_cache import CompileCache, digest
from extracted.runner.job import Job, JobResult
from extracted.runner.queue import Admission, Clock, FairQueue, Stopping
from extracted.runner.sandbox.port import RunOutcome, RunStatus
from extracted.runner.steps import TOO_LATE, Steps


class JobService:
    """Runs jobs: admits each to the queue, takes compiled programs from the cache. `clock`: seconds, monotonic."""

    def __init__(self, queue: FairQueue, cache: CompileCache, steps: Steps, clock: Clock) -> None:
        self._queue = queue
        self._cache = cache
        self._steps = steps
        self._clock = clock
        self._scopes: set[asyncio.Timeout] = set()

    async def run(self, job: Job) -> JobResult:
        """Raises QueueFull, Stopping. Cancelling it ends everything that it started."""
        deadline = self._clock() + job.deadline_s
        with self._queue.admitted(job.user or "", job.size_bytes, bounded=job.user is not None) as admission:
            async with self._until_stopped():
                return await self._result(job, admission, lambda: deadline - self._clock())

    def stop(self, within_s: float) -> None:
        """Gives back the jobs that have not begun at once, and the others if they do not end in time."""
        self._queue.close()
        for scope in self._scopes:
            scope.reschedule(asyncio.get_running_loop().time() + within_s)

    @asynccontextmanager
    async def _until_stopped(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    yield
                finally:
                    self._scopes.remove(scope)
        except TimeoutError as error:
            raise Stopping from error

    async def _result(self, job: Job, admission: Admission, remaining_s: Callable[[], float]) -> JobResult:
        compiled = job.runtime.language.compile
        if compiled is None:
            return JobResult(None, await self._runs(job, None, admission, remaining_s))
        key = digest(job.runtime.language.name, job.runtime.version, compiled.command, job.source_bytes)
        try:
            async with asyncio.timeout(remaining_s()) as waiting:
                async with self._cache.program(key, partial(self._steps.compile, job, admission)) as program:
                    waiting.reschedule(None)
                    if program.outcome.status is not RunStatus.OK:
                        return JobResult(program.outcome, [program.outcome] * len(job.inputs))
                    return JobResult(program.outcome, await self._runs(job, program.folder, admission, remaining_s))
        except TimeoutError:
            if not waiting.expired():
                raise
            return JobResult(TOO_LATE, [TOO_LATE] * len(job.inputs))

    async def _runs(
        self, job: Job, program: Path | None, admission: Admission, remaining_s: Callable[[], float]
    ) -> Sequence[RunOutcome]:
        execute = partial(self._steps.execute, job, program, admission=admission, remaining_s=remaining_s)
        try:
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(execute(stdin)) for stdin in job.inputs]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [run.result() for run in runs]
