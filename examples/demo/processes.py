"""Starts processes, waits until they listen, watches them, and always ends them."""

import asyncio
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

STARTS_WITHIN_S = 60.0
"""On a busy machine; else about a second."""
ENDS_WITHIN_S = 5.0
_LISTENING = re.compile(r"listening on ((?:http|smtp)://\S+?:\d+)(?: \(admin (http://\S+?:\d+)\))?$")


class ProcessFailed(Exception):
    """A process did not start, or ended too early; the text has its last lines."""


class LaunchedProcess:
    """One process. It listens at `url`; a gateway also at `admin_url`. `log` gets everything that it writes."""

    def __init__(self, name: str, process: Process, log: BinaryIO | None = None) -> None:
        self.name = name
        self.url = self.admin_url = ""
        self._process = process
        self._log = log
        self._asked_to_end = False
        self._listens = asyncio.Event()
        self._output: deque[str] = deque(maxlen=20)
        self._reader = asyncio.create_task(self._read())

    async def listening(self) -> None:
        """Waits until the process says where it listens. Raises ProcessFailed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listens.wait(), STARTS_WITHIN_S)
        if not self.url:
            raise ProcessFailed(f"{self.name} did not start{self._what_it_wrote()}")

    async def ended(self) -> None:
        """Waits until the process ends, then raises ProcessFailed with its last lines; for ever if `end` ends it."""
        code = await self._process.wait()
        await self._reader
        if self._asked_to_end:
            await asyncio.Event().wait()
        raise ProcessFailed(f"{self.name} ended with exit code {code}{self._what_it_wrote()}")

    async def end(self) -> None:
        """Sends SIGTERM, then SIGKILL after ENDS_WITHIN_S; returns when the process is gone and its output read."""
        self._asked_to_end = True
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), ENDS_WITHIN_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await self._reader

    @property
    def failed(self) -> bool:
        """Whether it has ended, and nobody asked it to."""
        return self._process.returncode is not None and not self._asked_to_end

    def last_lines(self) -> str:
        """The last lines that it wrote."""
        return "\n  ".join(self._output) or "it wrote nothing"

    def _what_it_wrote(self) -> str:
        where = "" if self._log is None else f" of {self._log.name}"
        return f"; the last lines{where}:\n  {self.last_lines()}"

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                self._keep(line)
                self._take_line(line.decode(errors="replace").rstrip())
        finally:
            self._listens.set()  # nobody needs to wait any longer
            if self._log is not None:
                self._log.close()

    def _keep(self, line: bytes) -> None:
        if self._log is not None:
            with suppress(OSError):  # a full disk must not stop the reading, or the process would block
                self._log.write(line)

    def _take_line(self, line: str) -> None:
        self._output.append(line)
        if not self.url and (found := _LISTENING.match(line)):
            self.url, self.admin_url = found[1], found[2] or ""
            self._listens.set()


class Launcher:
    """Starts processes; the end of `async with` ends them, the last one first.

    `logs` is a folder: each process then has a new file NAME.log there.
    """

    def __init__(
        self, started: Callable[[LaunchedProcess], None] = lambda child: None, logs: Path | None = None
    ) -> None:
        self._children: list[LaunchedProcess] = []
        self._started = started
        self._logs = logs

    async def __aenter__(self) -> "Launcher":
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._children):
            await child.end()

    async def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> LaunchedProcess:
        """Starts `command` with exactly this environment and waits until it listens. Raises ProcessFailed."""
        child = await self.launch(name, command, environ)
        await child.listening()
        self._started(child)
        return child

    async def launch(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> LaunchedProcess:
        """Starts what listens nowhere."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=1 << 20,
            env=environ,
            start_new_session=True,  # Ctrl-C reaches only the launcher, which ends them in order
        )
        child = LaunchedProcess(name, process, self._log(name))
        self._children.append(child)
        return child

    async def watch(self) -> None:
        """Raises ProcessFailed as soon as one process ends."""
        await first(*(child.ended() for child in self._children))

    async def raise_ended(self) -> None:
        """Raises ProcessFailed if a process has ended: usually the cause of what failed elsewhere."""
        for child in self._children:
            if child.failed:
                await child.ended()

    def _log(self, name: str) -> BinaryIO | None:
        if self._logs is None:
            return None
        file = self._logs / f"{name}.log"
        file.unlink(missing_ok=True)  # another launcher may still write to it
        return file.open("xb", buffering=0)


async def first(*coroutines: Coroutine[object, object, None]) -> None:
    """Runs all until one returns or raises; cancels and awaits the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
