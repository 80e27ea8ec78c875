"""Opens the sandbox that the settings ask for, after a look at what this machine has."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from extracted.runner.sandbox import protections
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
    return SpawnedSandbox(link, setup, backend)


def setup_of(choice: SandboxChoice) -> Setup:
    """What the spawner needs to know."""
    return Setup(str(choice.folder or ""), choice.first_uid, choice.uids)


class SpawnedSandbox:
    """See Sandbox. A spawner that ended is replaced at the next box."""

    def __init__(self, link: SpawnerLink, setup: Setup, backend: str) -> None:
        self.name = backend
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
    async def box(self, limits: Limits) -> AsyncIterator[Box]:
        """Raises SpawnerGone if a new spawner ends too, SandboxUnavailable if it does not start or has no user left."""
        async with made(await self._working(), self.name, limits) as box:
            yield box

    async def _working(self) -> SpawnerLink:
        async with self._starting:
            if self._link.closed and self._open:
                await self._link.aclose()
                self._link = await SpawnerLink.started(self._setup)
            return self._link

    async def aclose(self) -> None:
        self._open = False
        await self._link.aclose()


@asynccontextmanager
async def made(link: SpawnerLink, backend: str, limits: Limits) -> AsyncIterator[Box]:
    """A box for a backend, removed at the end even if the task is cancelled."""
    number, waiting = link.send("box", {"size": limits.box_bytes})
    try:
        answer = await asyncio.shield(waiting)
        if answer.kind == "failed":
            raise SandboxUnavailable(f"no box can be made: {answer.values['error']}")
        folder = answer.descriptors[0]
        try:
            yield SpawnedBox(link, backend, number, folder, answer.values["uid"], limits.box_bytes)
        finally:
            os.close(folder)
    finally:
        with suppress(SpawnerGone):
            await asyncio.shield(link.send("unbox", {"box": number})[1])


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
