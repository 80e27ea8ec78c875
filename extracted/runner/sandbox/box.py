"""A box made by the spawner: files through its folder's descriptor, runs through the link."""

import asyncio
import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from extracted.runner.sandbox.link import Answer, SpawnerGone, SpawnerLink
from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus
from extracted.runner.sandbox.spawner.messages import RunReport, RunRequest
from extracted.runner.sandbox.streams import InputWriter, OutputReader
from extracted.runner.sandbox.verdict import status_of

_LAST_OUTPUT_S: Final = 1
"""How long to read on when all processes have ended: what is in the pipe is there at once."""

_MOST_NAMES: Final = 1000


class SpawnedBox:
    """See Box. `folder`: a descriptor, which the maker closes; `size` bounds what is taken out."""

    def __init__(self, link: SpawnerLink, backend: str, number: int, folder: int, uid: int | None, size: int) -> None:
        self._link = link
        self._backend = backend
        self._number = number
        self._folder = folder
        self._uid = uid
        self._size = size

    async def write(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Raises ValueError; OSError if the box is full."""
        _check(name)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        if len(content) > self._size:
            raise OSError(errno.EFBIG, f"a box of {self._size} bytes takes no file of {len(content)}")
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=self._folder), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o755 if executable else 0o644)

    async def names(self) -> Sequence[str]:
        """Looks at no more than the first entries, however many a run has made."""
        with os.scandir(self._folder) as entries:
            return [one.name for one in islice(entries, _MOST_NAMES) if one.is_file(follow_symlinks=False)]

    async def take(self, name: str) -> bytes:
        """Never follows a link, waits for a pipe, or reads what is not the run's own. Raises FileNotFoundError."""
        _check(name)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._folder)
        except OSError as error:
            raise FileNotFoundError(f"the run left no file {name}") from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != (self._uid or os.geteuid()):
                raise FileNotFoundError(f"the run left no regular file {name}")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(self._size)
        finally:
            os.close(descriptor)

    async def run(self, command: Command, stdin: bytes, limits: Limits, *, keep_stdin_open: bool = False) -> RunOutcome:
        """See Box. Whatever fails in the sandbox itself is an outcome too."""
        try:
            return await self._run(command, stdin, limits, keep_stdin_open)
        except (SpawnerGone, ValueError, OSError) as error:
            return RunOutcome(RunStatus.SANDBOX_ERROR, detail=str(error))

    async def _run(self, command: Command, stdin: bytes, limits: Limits, keep_stdin_open: bool) -> RunOutcome:
        numbers: list[int] = []

        def exceeded() -> None:
            for one in numbers:
                self._link.kill(one, "output")

        entry = InputWriter(stdin, keep_open=keep_stdin_open)
        outputs = [OutputReader(limits.output_bytes, exceeded) for _ in range(2)]
        try:
            number, answer = self._begin(command, limits, entry, outputs)
            numbers.append(number)
            entry.start()
            report = _report(await self._ended(number, answer))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_OUTPUT_S):
                    for one in outputs:
                        await one.ended.wait()
        finally:
            entry.close()
            for one in outputs:
                one.close()
        return _outcome(report, outputs, command, limits)

    def _begin(
        self, command: Command, limits: Limits, entry: InputWriter, outputs: list[OutputReader]
    ) -> tuple[int, asyncio.Future[Answer]]:
        streams = [entry.theirs, *(one.theirs for one in outputs)]
        try:
            return self._link.send("run", self._request(command, limits), streams)
        finally:
            for one in streams:
                os.close(one)

    def _request(self, command: Command, limits: Limits) -> RunRequest:
        return RunRequest(
            box=self._number,
            backend=self._backend,
            argv=list(command.argv),
            readable=[str(path) for path in command.readable],
            environ=dict(command.environ),
            address_space=command.address_space,
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s,
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            file_bytes=limits.file_bytes,
            open_files=limits.open_files,
        )

    async def _ended(self, number: int, answer: asyncio.Future[Answer]) -> Answer:
        """When cancelled, kills the run, and is cancelled only when nothing of it is left."""
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            with suppress(SpawnerGone):
                self._link.kill(number, "cancelled")
                await answer
            raise


def _check(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ValueError(f"a file in a box has a plain name, not {name!r}")


def _report(answer: Answer) -> RunReport:
    if answer.kind == "failed":
        return RunReport(None, None, 0, 0, 0, error=answer.values["error"])
    return RunReport(**answer.values)


def _outcome(report: RunReport, outputs: list[OutputReader], command: Command, limits: Limits) -> RunOutcome:
    stdout, stderr = (bytes(one.kept) for one in outputs)
    status = status_of(report, stderr, limits.cpu_s, command.out_of_memory)
    started = not report.error
    return RunOutcome(
        status=status,
        exit_code=report.exit_code if started else None,
        signal=report.signal if started else None,
        stdout=stdout,
        stderr=stderr,
        truncated=any(one.truncated for one in outputs),
        cpu_ms=report.cpu_ms,
        wall_ms=report.wall_ms,
        peak_kb=report.peak_kb,
        detail=report.error,
    )
