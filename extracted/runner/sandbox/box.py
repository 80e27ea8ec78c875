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
from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus, SandboxUnavailable
from extracted.runner.sandbox.run import RequestedRun
from extracted.runner.sandbox.spawner.messages import RunRequest

_MOST_NAMES: Final = 1000


class SpawnedBox:
    """See Box. `folder`: a descriptor, which it closes; `size` bounds what is taken out."""

    def __init__(self, link: SpawnerLink, backend: str, number: int, folder: int, uid: int | None, size: int) -> None:
        self._link = link
        self._backend = backend
        self._number = number
        self._folder = folder
        self._uid = uid
        self._size = size
        self._held: RequestedRun | None = None

    @classmethod
    async def made(cls, link: SpawnerLink, backend: str, size: int) -> "SpawnedBox":
        """Raises SandboxUnavailable."""
        number, waiting = link.send("box", {"size": size})
        try:
            answer = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(_close_descriptors)
            link.unbox(number)
            raise
        if answer.kind == "failed":
            raise SandboxUnavailable(f"no box can be made: {answer.values['error']}")
        return cls(link, backend, number, answer.descriptors[0], answer.values["uid"], size)

    def make_ready(self, command: Command, limits: Limits) -> None:
        """All of the first run but the program itself begins now. Raises SpawnerGone, ValueError, OSError."""
        self._held = self._requested(command, limits, held=True)

    def ready_for(self, command: Command, limits: Limits) -> bool:
        """Whether the next run only has to be released."""
        return self._held is not None and self._held.ready and self._held.fits(command, limits)

    async def remove(self) -> None:
        """Its processes have ended then, and its files are removed before anything else is done."""
        held, self._held = self._held, None
        if held is not None:
            await held.discard()
        os.close(self._folder)
        self._link.unbox(self._number)

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
        held, self._held = self._held, None
        if held is not None and not held.fits(command, limits):
            await held.discard()
            held = None
        run = held or self._requested(command, limits, held=False)
        return await run.outcome(stdin, limits, keep_stdin_open=keep_stdin_open)

    def _requested(self, command: Command, limits: Limits, *, held: bool) -> RequestedRun:
        request = RunRequest(
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
            held=held,
        )
        return RequestedRun(self._link, request, command, limits)


def _check(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ValueError(f"a file in a box has a plain name, not {name!r}")


def _close_descriptors(answer: asyncio.Future[Answer]) -> None:
    if not answer.cancelled() and answer.exception() is None:
        for one in answer.result().descriptors:
            os.close(one)
