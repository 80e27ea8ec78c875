"""Compiled programs, kept by what they were made from: source, language, version and command.

A program is a folder of files that only the runner can write. Runs read it; what they do in their box never comes here.
"""

import asyncio
import hashlib
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from extracted.runner.sandbox.port import RunOutcome, RunStatus


@dataclass(frozen=True, slots=True)
class Compilation:
    """How compiling ended, and the files of the program, by name; none if it failed."""

    outcome: RunOutcome
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def lasting(self) -> bool:
        """Whether compiling again would end in the same way; a limit may have been met by chance."""
        return self.outcome.status in (RunStatus.OK, RunStatus.COMPILE_ERROR)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return sum(map(len, self.files.values())) + len(self.outcome.stdout) + len(self.outcome.stderr)


Compile = Callable[[Path], Awaitable[Compilation]]
"""Gets the folder in which the program will be, still empty."""


@dataclass(eq=False, slots=True)
class CompiledProgram:
    """An entry. `folder`: where the program is; None if compiling failed."""

    outcome: RunOutcome
    folder: Path | None
    size_bytes: int
    users: int = 0


class CompileCache:
    """Keeps at most `entries` programs of `size_bytes` in all, the least recently used first to go.

    A program in use stays until it is released, so the bounds may be exceeded by what runs.
    """

    def __init__(self, folder: Path, *, entries: int, size_bytes: int) -> None:
        self._folder = folder
        self._most = entries
        self._most_bytes = size_bytes
        self._kept: OrderedDict[str, CompiledProgram] = OrderedDict()
        self._compiling: dict[str, tuple[asyncio.Lock, int]] = {}
        self._serial = 0
        self.size_bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    @asynccontextmanager
    async def program(self, key: str, compile: Compile) -> AsyncIterator[CompiledProgram]:
        """The program of `key`, which stays as it is while it is used. Compiles it once, however many ask at once."""
        program = await self._get(key, compile)
        program.users += 1
        try:
            yield program
        finally:
            program.users -= 1
            await self._evict()

    async def _get(self, key: str, compile: Compile) -> CompiledProgram:
        async with self._alone(key):
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                self.hits += 1
                return kept
            self.misses += 1
            folder = self._new_folder(key)
            try:
                compilation = await compile(folder)
                _write(folder, compilation.files)
            except BaseException:
                _remove(folder)
                raise
            if not compilation.files:
                _remove(folder)
            kept_in = folder if compilation.files else None
            program = CompiledProgram(compilation.outcome, kept_in, compilation.size_bytes)
            if compilation.lasting:
                self._kept[key] = program
                self.size_bytes += program.size_bytes
            return program

    def _new_folder(self, key: str) -> Path:
        self._serial += 1
        folder = self._folder / f"{key}-{self._serial}"
        folder.mkdir(mode=0o700)
        folder.chmod(0o711)  # whoever makes its run ready looks for it
        return folder

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Only one compiles a key; who waits takes over if that one is cancelled."""
        lock, waiting = self._compiling.get(key, (asyncio.Lock(), 0))
        self._compiling[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._compiling[key]
            if waiting == 1:
                del self._compiling[key]
            else:
                self._compiling[key] = lock, waiting - 1

    async def _evict(self) -> None:
        for key in [key for key, program in self._kept.items() if not program.users]:
            if len(self._kept) <= self._most and self.size_bytes <= self._most_bytes:
                return
            program = self._kept.pop(key)
            self.size_bytes -= program.size_bytes
            await asyncio.to_thread(_remove, program.folder)


def digest(language: str, version: str, command: Sequence[str], source: bytes) -> str:
    """The key of a program. Each part counts with its length, so no two lists of parts are alike."""
    hashed = hashlib.sha256()
    for part in (language.encode(), version.encode(), *(word.encode() for word in command), source):
        hashed.update(b"%d:" % len(part) + part)
    return hashed.hexdigest()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Not in a thread: a process that is forked meanwhile would hold a file open, and it could not be run."""
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o555)
    folder.chmod(0o555)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        folder.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
