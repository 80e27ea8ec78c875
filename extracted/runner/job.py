"""A job: one source and its inputs, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from extracted.runner.languages.language import StepLimits
from extracted.runner.languages.runtimes import Runtime
from extracted.runner.sandbox.port import Limits, RunOutcome


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """Limits instead of the language's; None: the language's."""

    wall_s: float | None = None
    cpu_s: float | None = None
    output_bytes: int | None = None

    def over(self, limits: StepLimits) -> Limits:
        """The limits of a step for the sandbox."""
        return Limits(
            wall_s=self.wall_s or limits.wall_s,
            cpu_s=self.cpu_s or limits.cpu_s,
            memory_bytes=limits.memory_mb << 20,
            processes=limits.processes,
            output_bytes=self.output_bytes or limits.output_kb << 10,
            file_bytes=limits.file_mb << 20,
            open_files=limits.open_files,
            box_bytes=limits.box_mb << 20,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """`inputs`: one run for each. `deadline_s`: of the whole job, waiting included. `limits`: of its runs.

    `user`: for fairness; None: nobody is named, and only the bounds of all jobs together count.
    `keep_stdin_open`: a program that reads to the end waits for its time limit.
    """

    runtime: Runtime
    source: str
    inputs: Sequence[bytes]
    deadline_s: float
    user: str | None = None
    limits: OwnLimits = OwnLimits()
    keep_stdin_open: bool = False

    @property
    def size_bytes(self) -> int:
        """About what it takes while it waits."""
        return 2 * len(self.source) + sum(map(len, self.inputs))

    @property
    def source_bytes(self) -> bytes:
        """The source as a file; a lone surrogate becomes a question mark."""
        return self.source.encode(errors="replace")


@dataclass(frozen=True, slots=True)
class JobResult:
    """`compilation`: None for a language without one. `runs`: one for each input; if compiling failed, that."""

    compilation: RunOutcome | None
    runs: Sequence[RunOutcome]
