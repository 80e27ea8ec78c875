"""Processes of the launcher: started, awaited until they listen, watched, and ended whatever happens."""

import asyncio
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress

STARTS_WITHIN_S = 20.0
ENDS_WITHIN_S = 5.0
_LISTENING = re.compile(r"listening on ((?:http|smtp)://\S+?:\d+)(?: \(admin (http://\S+?:\d+)\))?$")


class ProcessFailed(Exception):
    """A process did not start, or ended before it was told to; the text carries its last lines."""


class Child:
    """One process. `url` is where it listens; `admin_url` as well for a gateway."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.url = self.admin_url = ""
        self._process = process
        self._listens = asyncio.Event()
        self._output: deque[str] = deque(maxlen=20)
        self._reading = asyncio.create_task(self._read())

    async def listening(self) -> None:
        """Returns when it has said where it listens. Raises ProcessFailed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listens.wait(), STARTS_WITHIN_S)
        if not self.url:
            raise ProcessFailed(f"{self.name} did not start:\n  {self.last_lines()}")

    async def ended(self) -> None:
        """Raises ProcessFailed when the process ends."""
        code = await self._process.wait()
        await self._reading
        raise ProcessFailed(f"{self.name} ended with exit code {code}:\n  {self.last_lines()}")

    async def end(self) -> None:
        """SIGTERM, SIGKILL after a while; returns when it is gone and its output is read."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), ENDS_WITHIN_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await self._reading

    def last_lines(self) -> str:
        """The end of what it wrote."""
        return "\n  ".join(self._output) or "it wrote nothing"

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                self._heard(line.decode(errors="replace").rstrip())
        finally:
            self._listens.set()  # whoever waits for it need not wait any longer

    def _heard(self, line: str) -> None:
        self._output.append(line)
        if not self.url and (found := _LISTENING.match(line)):
            self.url, self.admin_url = found[1], found[2] or ""
            self._listens.set()


class Children:
    """All processes of one launcher; `async with` ends them, the last one first."""

    def __init__(self, started: Callable[[Child], None] = lambda child: None) -> None:
        self._children: list[Child] = []
        self._started = started

    async def __aenter__(self) -> "Children":
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._children):
            await child.end()

    async def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Starts `command` with that environment alone and waits until it listens. Raises ProcessFailed."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=1 << 20,
            env=environ,
            start_new_session=True,  # Ctrl-C reaches the launcher alone, which ends them in order
        )
        child = Child(name, process)
        self._children.append(child)
        await child.listening()
        self._started(child)
        return child

    async def watch(self) -> None:
        """Raises ProcessFailed as soon as one of them ends."""
        await first(*(child.ended() for child in self._children))


async def first(*coroutines: Coroutine[object, object, None]) -> None:
    """Runs them together until one ends, or raises; the others are cancelled, and awaited."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
