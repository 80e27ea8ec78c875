"""Boxes made ahead of time: each waits, all made ready, with its program just before it begins. Each is used once."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from extracted.runner.sandbox.box import SpawnedBox
from extracted.runner.sandbox.link import SpawnerLink
from extracted.runner.sandbox.port import Command, Limits, SandboxUnavailable


@dataclass(eq=False, frozen=True, slots=True)
class _Coming:
    """A box that is made, or still being made."""

    command: Command
    limits: Limits
    box: asyncio.Task[SpawnedBox | None]

    def is_for(self, command: Command, limits: Limits) -> bool:
        """Whether this is its first run."""
        return command == self.command and limits.like(self.limits)


class BoxesAhead:
    """At most `most`, the oldest first to go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._coming: list[_Coming] = []
        self._removing: set[asyncio.Task[None]] = set()

    def order(self, link: SpawnerLink, backend: str, command: Command, limits: Limits) -> Callable[[], None]:
        """Makes a box for the next run of this command. Returns how to take that back."""
        if not self._most:
            return lambda: None
        while len(self._coming) >= self._most:
            self._discard(self._coming.pop(0))
        coming = _Coming(command, limits, asyncio.create_task(_made(link, backend, command, limits)))
        self._coming.append(coming)
        return lambda: self._take_back(coming)

    async def take(self, command: Command, limits: Limits) -> SpawnedBox | None:
        """One that is ready for this run, if there is any."""
        while one := next((one for one in self._coming if one.is_for(command, limits)), None):
            self._coming.remove(one)
            try:
                box = await asyncio.shield(one.box)
            except asyncio.CancelledError:
                self._discard(one)
                raise
            if box is not None and box.ready_for(command, limits):
                return box
            self._discard(one)
        return None

    def remove(self, box: SpawnedBox) -> None:
        """In the background."""
        self._own(box.remove())

    async def empty(self) -> bool:
        """Removes all. Returns whether there were any."""
        any_left = bool(self._coming)
        while self._coming:
            self._discard(self._coming.pop())
        await asyncio.gather(*self._removing)
        return any_left

    def _take_back(self, one: _Coming) -> None:
        if one in self._coming:
            self._coming.remove(one)
            self._discard(one)

    def _discard(self, one: _Coming) -> None:
        self._own(_removed(one.box))

    def _own(self, removing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(removing)
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)


async def _made(link: SpawnerLink, backend: str, command: Command, limits: Limits) -> SpawnedBox | None:
    """None if it cannot be made: whoever then asks for such a box learns why."""
    with suppress(SandboxUnavailable, ValueError, OSError):
        box = await SpawnedBox.made(link, backend, limits.box_bytes)
        try:
            box.make_ready(command, limits)
        except BaseException:
            await box.remove()
            raise
        return box
    return None


async def _removed(making: asyncio.Task[SpawnedBox | None]) -> None:
    if (box := await making) is not None:
        await box.remove()
