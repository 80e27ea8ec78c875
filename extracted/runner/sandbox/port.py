"""The port: a box takes files, runs commands within limits, and leaves nothing behind."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class RunStatus(StrEnum):
    """How a run ended. A box never answers COMPILE_ERROR: that is what a failed compile command means."""

    OK = "ok"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    PROCESS_LIMIT = "process_limit"
    SANDBOX_ERROR = "sandbox_error"


class SandboxUnavailable(Exception):
    """This machine cannot isolate programs as asked; the message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run, all its processes together, if nothing else is said."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    processes: int
    """Processes and threads."""
    output_bytes: int
    """Of each stream."""
    file_bytes: int
    """Of each file."""
    open_files: int
    """Of each process."""
    box_bytes: int
    """All files of the box. It is fixed when the box is made."""

    def like(self, other: "Limits") -> bool:
        """Whether at most the wall time differs, which a run gets when its program begins."""
        return replace(self, wall_s=0) == replace(other, wall_s=0)


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute in the box. A relative name in `argv` is looked up in the box."""

    argv: tuple[str, ...]
    readable: tuple[Path, ...] = ()
    """Files and folders that it may read and execute, beside the system's programs and libraries."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """All that it gets, beside PATH, HOME and TMPDIR."""
    address_space: bool = True
    """Whether the memory limit may also bound the address space. Node and Java reserve more than they use."""
    out_of_memory: tuple[bytes, ...] = ()
    """Words on stderr of a failed run that mean memory, for programs that notice before the sandbox does."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run left. `exit_code` is None if a signal ended it, and both are None if it never started."""

    status: RunStatus
    exit_code: int | None = None
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    """Output beyond the limit was dropped."""
    cpu_ms: int = 0
    wall_ms: int = 0
    peak_kb: int = 0
    """The most resident memory of one of its processes."""
    detail: str = ""
    """Why the sandbox itself failed; for the log, never for the user."""


class Box(Protocol):
    """An empty folder of bounded size, with a user of its own where the machine allows it."""

    async def write(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Puts a file into the box. Raises ValueError for a name with a folder in it."""

    async def names(self) -> Sequence[str]:
        """The names of the regular files in it, not of those in folders; at most 1000."""

    async def take(self, name: str) -> bytes:
        """A file that a run wrote. Raises FileNotFoundError if there is no regular file of this name."""

    async def run(self, command: Command, stdin: bytes, limits: Limits, *, keep_stdin_open: bool = False) -> RunOutcome:
        """Runs the command with the box as working directory. Cancelling kills all its processes."""


class Sandbox(Protocol):
    """A backend."""

    @property
    def name(self) -> str:
        """`plain`, `bubblewrap`, `gvisor-systrap` or `gvisor-ptrace`."""

    def box(self, limits: Limits, first: Command | None = None) -> AbstractAsyncContextManager[Box]:
        """A box of `limits.box_bytes`. When the context ends, its processes are gone, and its files go at once.

        `first`: what runs first in it. A box that was made ahead of time for it is taken.
        """

    def expect(self, command: Command, limits: Limits) -> Callable[[], None]:
        """Makes a box for such a run ahead of time. Returns how to take that back."""

    async def aclose(self) -> None:
        """Kills all runs and removes all boxes."""
