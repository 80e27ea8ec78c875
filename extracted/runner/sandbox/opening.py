"""Opens the sandbox that the settings ask for, after a look at what this machine has."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extracted.runner.sandbox.box import SpawnedBox
from extracted.runner.sandbox.link import Link, SpawnerGone
from extracted.runner.sandbox.port import Box, Command, Limits, RunOutcome, RunStatus, Sandbox, SandboxUnavailable
from extracted.runner.sandbox.spawner.messages import Facts, Setup

STRONGEST_FIRST: Final = ("bubblewrap", "plain")
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
    setup = Setup(str(choice.folder or ""), choice.first_uid, choice.uids)
    link = await Link.started(setup)
    try:
        backend = await _chosen(link, choice)
    except BaseException:
        await link.aclose()
        raise
    return SpawnedSandbox(link, setup, backend)


class SpawnedSandbox:
    """See Sandbox. A spawner that ended is replaced at the next box."""

    def __init__(self, link: Link, setup: Setup, backend: str) -> None:
        self.name = backend
        self._link = link
        self._setup = setup
        self._starting = asyncio.Lock()
        self._open = True

    @property
    def facts(self) -> Facts:
        """What this machine has."""
        return self._link.facts

    @asynccontextmanager
    async def box(self, limits: Limits) -> AsyncIterator[Box]:
        """Raises SpawnerGone if a new spawner ends too, SandboxUnavailable if it does not start or has no user left."""
        async with made(await self._working(), self.name, limits) as box:
            yield box

    async def _working(self) -> Link:
        async with self._starting:
            if self._link.closed and self._open:
                await self._link.aclose()
                self._link = await Link.started(self._setup)
            return self._link

    async def aclose(self) -> None:
        self._open = False
        await self._link.aclose()


@asynccontextmanager
async def made(link: Link, backend: str, limits: Limits) -> AsyncIterator[Box]:
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


async def _chosen(link: Link, choice: SandboxChoice) -> str:
    wanted = STRONGEST_FIRST if choice.backend == "auto" else (choice.backend,)
    refusals = []
    for backend in wanted:
        outcome = await trial(link, backend)
        if outcome.status is RunStatus.OK:
            return backend
        refusals.append(f"{backend}: {outcome.detail or outcome.stderr.decode(errors='replace').strip()}")
    raise SandboxUnavailable("no sandbox works here. " + "; ".join(refusals))


async def trial(link: Link, backend: str) -> RunOutcome:
    """Runs a program that does nothing."""
    async with made(link, backend, _TRIAL) as box:
        return await box.run(Command(("/usr/bin/true",)), b"", _TRIAL)
