"""One step of a job: compiles a source, or runs a program. Each waits for a turn and has a box of its own."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from extracted.runner.compile_cache import Compilation
from extracted.runner.job import Job, OwnLimits
from extracted.runner.queue import Admission, FairQueue
from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus, Sandbox, SandboxUnavailable

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

    async def compile(self, job: Job, admission: Admission, folder: Path) -> Compilation:
        """Of a language that is compiled. `folder`: where the program will be, once it is there. Raises Stopping."""
        language, files = job.runtime.language, dict[str, bytes]()
        assert language.compile is not None
        limits, values = OwnLimits().over(language.compile.limits), job.runtime.values(job.source)
        command = job.runtime.command(language.compile, values)
        async with self._queue.turn(admission):
            try:
                async with self._sandbox.box(limits, command) as box:
                    await box.write(values["source"], job.source_bytes)
                    take_back = self._sandbox.expect(*_run(job, folder))
                    try:
                        outcome = await box.run(command, b"", limits)
                        if outcome.status is RunStatus.OK:
                            files = {name: await box.take(name) for name in await box.names() if language.keeps(name)}
                    finally:
                        if not files:
                            take_back()
                self._sandbox.expect(command, limits)
                outcome = _of_compiler(outcome, files)
            except (OSError, SandboxUnavailable) as error:
                outcome = _failed(error)
        self._record(job, "compile", outcome)
        return Compilation(outcome, files)

    async def execute(
        self, job: Job, program: Path | None, stdin: bytes, admission: Admission, remaining_s: Callable[[], float]
    ) -> RunOutcome:
        """`program`: the compiled program's folder. `remaining_s`: until the deadline. Raises Stopping."""
        command, limits = _run(job, program)
        async with self._queue.turn(admission):
            if remaining_s() <= 0:
                return TOO_LATE
            limits = replace(limits, wall_s=min(limits.wall_s, remaining_s()))
            try:
                async with self._sandbox.box(limits, command) as box:
                    if program is None:
                        await box.write(job.runtime.values(job.source)["source"], job.source_bytes)
                    outcome = await box.run(command, stdin, limits, keep_stdin_open=job.keep_stdin_open)
                if program is None:  # every program of the language runs with the same command
                    self._sandbox.expect(command, limits)
            except (OSError, SandboxUnavailable) as error:
                outcome = _failed(error)
        self._record(job, "run", outcome)
        return outcome

    def _record(self, job: Job, step: str, outcome: RunOutcome) -> None:
        language = job.runtime.language.name
        self._recorder.ran(language, step, outcome)
        if outcome.status is RunStatus.SANDBOX_ERROR:
            log.error("sandbox_failed", language=language, step=step, reason=outcome.detail)


def _run(job: Job, program: Path | None) -> tuple[Command, Limits]:
    step = job.runtime.language.run
    return job.runtime.command(step, job.runtime.values(job.source, program)), job.limits.over(step.limits)


def _failed(error: Exception) -> RunOutcome:
    return RunOutcome(RunStatus.SANDBOX_ERROR, detail=f"{type(error).__name__}: {error}")


def _of_compiler(outcome: RunOutcome, files: Collection[str]) -> RunOutcome:
    """A compiler that ended by itself with an error, or left no program, refused the source."""
    if outcome.status is RunStatus.OK and not files:
        outcome = replace(outcome, exit_code=1, stderr=outcome.stderr + b"the compiler left no program\n")
    elif outcome.status is not RunStatus.RUNTIME_ERROR:
        return outcome
    return replace(outcome, status=RunStatus.COMPILE_ERROR, exit_code=outcome.exit_code or 1, signal=None)
