"""A sandbox in this process: programs are Python functions, named by what their source says. Nothing is isolated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from extracted.runner.sandbox.port import Box, Command, Limits, RunOutcome, RunStatus

Program = Callable[[bytes], Awaitable[RunOutcome]]


def ok(stdout: bytes) -> RunOutcome:
    return RunOutcome(RunStatus.OK, exit_code=0, stdout=stdout)


@dataclass
class FakeSandbox:
    """`programs`: by source. A command whose first word is `compiler` writes the source as the file `main`."""

    programs: Mapping[str, Program]
    name: str = "fake"
    compiled: list[str] = field(default_factory=list)
    boxes: int = 0
    commands: list[Command] = field(default_factory=list)
    expected: list[Command] = field(default_factory=list)

    @asynccontextmanager
    async def box(self, limits: Limits, first: Command | None = None) -> AsyncIterator[Box]:
        self.boxes += 1
        try:
            yield FakeBox(self)
        finally:
            self.boxes -= 1

    def expect(self, command: Command, limits: Limits) -> Callable[[], None]:
        self.expected.append(command)
        return lambda: self.expected.remove(command)

    async def aclose(self) -> None:
        return None


@dataclass
class FakeBox:
    sandbox: FakeSandbox
    files: dict[str, bytes] = field(default_factory=dict)

    async def write(self, name: str, content: bytes, *, executable: bool = False) -> None:
        self.files[name] = content

    async def names(self) -> Sequence[str]:
        return [*self.files]

    async def take(self, name: str) -> bytes:
        return self.files[name]

    async def run(self, command: Command, stdin: bytes, limits: Limits, *, keep_stdin_open: bool = False) -> RunOutcome:
        self.sandbox.commands.append(command)
        what = command.argv[-1]
        if command.argv[0] == "compiler":
            return await self._compile(self.files[what])
        source = self.files[what] if what in self.files else Path(what).read_bytes()
        try:
            return await asyncio.wait_for(self.sandbox.programs[source.decode()](stdin), limits.wall_s)
        except TimeoutError:
            return RunOutcome(RunStatus.TIME_LIMIT, signal=9)

    async def _compile(self, source: bytes) -> RunOutcome:
        self.sandbox.compiled.append(source.decode())
        await asyncio.sleep(0)
        if source == b"wrong":
            return RunOutcome(RunStatus.RUNTIME_ERROR, exit_code=1, stderr=b"line 1 is wrong")
        if source == b"killed":
            return RunOutcome(RunStatus.RUNTIME_ERROR, signal=9)
        if source == b"nothing":
            return ok(b"")
        self.files |= {"main": source, "notes.txt": b"not of the program"}
        return ok(b"")
