"""A run that the spawner has been asked for: its three pipes, and how it ended."""

import asyncio
import os
from contextlib import suppress
from typing import Final

from extracted.runner.sandbox.link import Answer, SpawnerGone, SpawnerLink
from extracted.runner.sandbox.port import Command, Limits, RunOutcome
from extracted.runner.sandbox.spawner.messages import RunReport, RunRequest
from extracted.runner.sandbox.streams import InputWriter, OutputReader
from extracted.runner.sandbox.verdict import status_of

_LAST_OUTPUT_S: Final = 1
"""How long to read on when all processes have ended: what is in the pipe is there at once."""


class RequestedRun:
    """`request.held`: all is made ready, but the program begins only with `outcome`."""

    def __init__(self, link: SpawnerLink, request: RunRequest, command: Command, limits: Limits) -> None:
        """Raises SpawnerGone, ValueError, OSError."""
        self._link = link
        self._command = command
        self._limits = limits
        self._held = request.held
        self._number = 0
        self._entry = InputWriter()
        self._outputs = [OutputReader(limits.output_bytes, self._exceeded) for _ in range(2)]
        theirs = [self._entry.theirs, *(one.theirs for one in self._outputs)]
        try:
            self._number, self._answer = link.send("run", request, theirs)
        except BaseException:
            self._close()
            raise
        finally:
            for one in theirs:
                os.close(one)

    @property
    def ready(self) -> bool:
        """Whether its processes are still there."""
        return not self._answer.done()

    def fits(self, command: Command, limits: Limits) -> bool:
        """Whether it is a run of this command within these limits."""
        return command == self._command and limits.like(self._limits)

    async def outcome(self, stdin: bytes, limits: Limits, *, keep_stdin_open: bool) -> RunOutcome:
        """Raises SpawnerGone. Cancelling kills all its processes."""
        try:
            if self._held:
                self._link.release(self._number, limits.wall_s)
            self._entry.start(stdin, keep_open=keep_stdin_open)
            report = _report(await self._ended())
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_OUTPUT_S):
                    for one in self._outputs:
                        await one.ended.wait()
        finally:
            self._close()
        return self._outcome(report)

    async def discard(self) -> None:
        """Ends it before its program has begun."""
        try:
            with suppress(SpawnerGone):
                self._link.kill(self._number, "cancelled")
                await self._answer
        finally:
            self._close()

    def _exceeded(self) -> None:
        self._link.kill(self._number, "output")

    async def _ended(self) -> Answer:
        """When cancelled, kills the run, and is cancelled only when nothing of it is left."""
        try:
            return await asyncio.shield(self._answer)
        except asyncio.CancelledError:
            with suppress(SpawnerGone):
                self._link.kill(self._number, "cancelled")
                await self._answer
            raise

    def _close(self) -> None:
        self._entry.close()
        for one in self._outputs:
            one.close()

    def _outcome(self, report: RunReport) -> RunOutcome:
        stdout, stderr = (bytes(one.kept) for one in self._outputs)
        started = not report.error
        return RunOutcome(
            status=status_of(report, stderr, self._limits.cpu_s, self._command.out_of_memory),
            exit_code=report.exit_code if started else None,
            signal=report.signal if started else None,
            stdout=stdout,
            stderr=stderr,
            truncated=any(one.truncated for one in self._outputs),
            cpu_ms=report.cpu_ms,
            wall_ms=report.wall_ms,
            peak_kb=report.peak_kb,
            detail=report.error,
        )


def _report(answer: Answer) -> RunReport:
    if answer.kind == "failed":
        return RunReport(None, None, 0, 0, 0, error=answer.values["error"])
    return RunReport(**answer.values)
