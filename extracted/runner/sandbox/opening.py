"""Opens the sandbox that the settings ask for, after a look at what this machine has."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from extracted.runner.sandbox import protections
from extracted.runner.sandbox.ahead import BoxesAhead
from extracted.runner.sandbox.box import SpawnedBox
from extracted.runner.sandbox.link import SpawnerGone, SpawnerLink
from extracted.runner.sandbox.port import Box, Command, Limits, RunOutcome, RunStatus, Sandbox, SandboxUnavailable
from extracted.runner.sandbox.spawner import gvisor
from extracted.runner.sandbox.spawner.messages import Facts, Setup

log = structlog.get_logger("runner.sandbox")

GVISOR_REFUSAL: Final = (
    "runsc is not installed; install it, or put the runner itself into gVisor (runtimeClassName: gvisor) and set "
    "RUNNER_SANDBOX=plain, RUNNER_ALLOW_WEAK=true, because gVisor has no Landlock"
)
_WANTED: Final = {"auto": protections.BACKENDS, "gvisor": tuple(gvisor.PLATFORMS)}
"""What a setting stands for, in the order in which it is tried."""
_CAN_WAIT: Final = frozenset(protections.BACKENDS)
"""These hold a program just before it begins."""
_TRIAL: Final = Limits(
    wall_s=10, cpu_s=5, memory_bytes=64 << 20, processes=16, output_bytes=4_096, file_bytes=4_096, open_files=32,
    box_bytes=1 << 20,
)  # fmt: skip


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
    ahead: int = 8
    """How many boxes may be ready before they are asked for."""
    allow_weak: bool = False
    """Start even if a protection that the backend relies on is missing."""


async def open_sandbox(choice: SandboxChoice) -> Sandbox:
    """Raises SandboxUnavailable."""
    setup = setup_of(choice)
    link = await SpawnerLink.started(setup)
    try:
        backend = await chosen(link, choice)
    except BaseException:
        await link.aclose()
        raise
    for one in protections.missing(link.facts, backend):
        log.error("sandbox_is_weak", missing=one.name, a_program_can=one.without)
    return SpawnedSandbox(link, setup, backend, choice.ahead)


def setup_of(choice: SandboxChoice) -> Setup:
    """What the spawner needs to know."""
    return Setup(str(choice.folder or ""), choice.first_uid, choice.uids)


class SpawnedSandbox:
    """See Sandbox. A spawner that ended is replaced at the next box."""

    def __init__(self, link: SpawnerLink, setup: Setup, backend: str, ahead: int) -> None:
        self.name = backend
        self._ahead = BoxesAhead(ahead)
        self._link = link
        self._setup = setup
        self._starting = asyncio.Lock()
        self._open = True

    @property
    def facts(self) -> Facts:
        """What this machine has."""
        return self._link.facts

    @property
    def pid(self) -> int:
        """The spawner's."""
        return self._link.pid

    @asynccontextmanager
    async def box(self, limits: Limits, first: Command | None = None) -> AsyncIterator[Box]:
        """Raises SpawnerGone if a new spawner ends too, SandboxUnavailable if it does not start or has no user left."""
        box = await self._box(await self._working(), limits, first)
        try:
            yield box
        finally:
            self._ahead.remove(box)

    def expect(self, command: Command, limits: Limits) -> Callable[[], None]:
        """See Sandbox. Does nothing where a program cannot wait, or when nothing works any more."""
        if self.name in _CAN_WAIT and self._open and not self._link.closed:
            return self._ahead.order(self._link, self.name, command, limits)
        return lambda: None

    async def _box(self, link: SpawnerLink, limits: Limits, first: Command | None) -> SpawnedBox:
        """Boxes that only wait make room for one that is needed."""
        if first is not None and (ready := await self._ahead.take(first, limits)):
            return ready
        try:
            return await SpawnedBox.made(link, self.name, limits.box_bytes)
        except SandboxUnavailable:
            if not await self._ahead.empty():
                raise
            return await SpawnedBox.made(link, self.name, limits.box_bytes)

    async def _working(self) -> SpawnerLink:
        async with self._starting:
            if self._link.closed and self._open:
                await self._link.aclose()
                self._link = await SpawnerLink.started(self._setup)
            return self._link

    async def clear(self) -> None:
        """Returns when nothing is left of boxes that ended or that wait."""
        await self._ahead.empty()
        with suppress(SpawnerGone):
            await self._link.send("facts", {})[1]

    async def aclose(self) -> None:
        self._open = False
        await self._ahead.empty()
        await self._link.aclose()


@asynccontextmanager
async def made(link: SpawnerLink, backend: str, limits: Limits) -> AsyncIterator[Box]:
    """A box for a backend."""
    box = await SpawnedBox.made(link, backend, limits.box_bytes)
    try:
        yield box
    finally:
        await box.remove()


async def chosen(link: SpawnerLink, choice: SandboxChoice) -> str:
    """The first backend that works and has all that it relies on. Raises SandboxUnavailable."""
    if choice.backend == "gvisor" and gvisor.program() is None:
        raise SandboxUnavailable(f"No sandbox works here. gvisor: {GVISOR_REFUSAL}")
    wanted = _WANTED.get(choice.backend, (choice.backend,))
    refusals = []
    for backend in wanted:
        refusal = await _refusal(link, backend, choice.allow_weak)
        if not refusal:
            return backend
        refusals.append(f"{backend}: {refusal}")
    raise SandboxUnavailable("No sandbox works here. " + "; ".join(refusals))


async def _refusal(link: SpawnerLink, backend: str, allow_weak: bool) -> str:
    missing = [f"{one.name} ({one.detail})" for one in protections.missing(link.facts, backend)]
    if missing and not allow_weak:
        return f"this machine lacks {' and '.join(missing)}; RUNNER_ALLOW_WEAK=true starts without, for trusted code"
    outcome = await trial(link, backend)
    if outcome.status is RunStatus.OK:
        return ""
    return outcome.detail or outcome.stderr.decode(errors="replace").strip() or f"a trial ended with {outcome.status}"


async def trial(link: SpawnerLink, backend: str) -> RunOutcome:
    """Runs a program that does nothing."""
    async with made(link, backend, _TRIAL) as box:
        return await box.run(Command(("/usr/bin/true",)), b"", _TRIAL)
