"""One step of a job: compiles a source, or runs a program. Each waits for a turn and has a box of its own."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from extracted.runner.compile_cache import Compilation
from extracted.runner.job import Job, OwnLimits
from extracted.runner.queue import Admission, FairQueue
from extracted.runner.sandbox.port import RunOutcome, RunStatus, Sandbox, SandboxUnavailable

log = structlog.get_logger("runner.steps")

TOO_LATE: Final = RunOutcome(RunStatus.TIME_LIMIT)
"""The deadline of the job passed before this step could begin."""


class RunRecorder(Protocol):
    """Counts steps."""

    def ran(self, language: str, step: str, outcome: RunOutcome) -> None:
        """`step`: compile or run."""
        ...


class Steps:
    """`recorder` learns of every step that began."""

    def __init__(self, sandbox: Sandbox, queue: FairQueue, recorder: RunRecorder) -> None:
        self._sandbox = sandbox
        self._queue = queue
        self._recorder = recorder

    async def compile(self, job: Job, admission: Admission) -> Compilation:
        """Of a language that is compiled. Raises Stopping."""
        language = job.runtime.language
        assert language.compile is not None
        limits, values = OwnLimits().over(language.compile.limits), job.runtime.values(job.source)
        command, files = job.runtime.command(language.compile, values), dict[str, bytes]()
        async with self._queue.turn(admission):
            try:
                async with self._sandbox.box(limits, command) as box:
                    await box.write(values["source"], job.source_bytes)
                    outcome = await box.run(command, b"", limits)
                    if outcome.status is RunStatus.OK:
                        files = {name: await box.take(name) for name in await box.names() if language.keeps(name)}
                    outcome = _of_compiler(outcome, files)
            except (OSError, SandboxUnavailable) as error:
                outcome = _failed(error)
        self._record(job, "compile", outcome)
        return Compilation(outcome, files)

    async def execute(
        self, job: Job, program: Path | None, stdin: bytes, admission: Admission, remaining_s: Callable[[], float]
    ) -> RunOutcome:
        """`program`: the compiled program's folder. `remaining_s`: until the deadline. Raises Stopping."""
        step, values = job.runtime.language.run, job.runtime.values(job.source, program)
        command, limits = job.runtime.command(step, values), job.limits.over(step.limits)
        async with self._queue.turn(admission):
            if remaining_s() <= 0:
                return TOO_LATE
            limits = replace(limits, wall_s=min(limits.wall_s, remaining_s()))
            try:
                async with self._sandbox.box(limits, command if program is None else None) as box:
                    if program is None:
                        await box.write(values["source"], job.source_bytes)
                    outcome = await box.run(command, stdin, limits, keep_stdin_open=job.keep_stdin_open)
            except (OSError, SandboxUnavailable) as error:
                outcome = _failed(error)
        self._record(job, "run", outcome)
        return outcome

    def _record(self, job: Job, step: str, outcome: RunOutcome) -> None:
        language = job.runtime.language.name
        self._recorder.ran(language, step, outcome)
        if outcome.status is RunStatus.SANDBOX_ERROR:
            log.error("sandbox_failed", language=language, step=step, reason=outcome.detail)


def _failed(error: Exception) -> RunOutcome:
    return RunOutcome(RunStatus.SANDBOX_ERROR, detail=f"{type(error).__name__}: {error}")


def _of_compiler(outcome: RunOutcome, files: Collection[str]) -> RunOutcome:
    """A compiler that ended by itself with an error, or left no program, refused the source."""
    if outcome.status is RunStatus.OK and not files:
        outcome = replace(outcome, exit_code=1, stderr=outcome.stderr + b"the compiler left no program\n")
    elif outcome.status is not RunStatus.RUNTIME_ERROR:
        return outcome
    return replace(outcome, status=RunStatus.COMPILE_ERROR, exit_code=outcome.exit_code or 1, signal=None)
