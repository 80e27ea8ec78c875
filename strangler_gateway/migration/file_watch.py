"""Takes up the routes file when it changes: a rename, a write in place, or the symlink swap of a Kubernetes volume."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from watchfiles import Change, awatch

from strangler_gateway.config.yaml.tree import MAX_BYTES

log = logging.getLogger(__name__)

POLL_S = 0.5
"""Looked at this often without an event: network file systems send none, and none tells what precedes a watch."""
SETTLE_S = 0.03
SETTLE_TIMES = 30
MAX_LINKS = 40

Entries = frozenset[tuple[Path, str]]
"""(directory, name): what has to stay as it is for the file to stay the same."""


class Reloader:
    """Calls `reload` when the file's content has changed, and on SIGHUP; a bad file is the callee's matter."""

    def __init__(
        self,
        path: Path,
        reload: Callable[[], Awaitable[object]],
        *,
        poll_s: float = POLL_S,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._path, self._reload = path.absolute(), reload
        self._poll_s, self._settle_s = poll_s, settle_s
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled. Reloads once at first: the file may have changed since it was read."""
        hangup = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, hangup.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._on_hangup(hangup))
                tasks.create_task(self._on_change())
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _on_hangup(self, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            await self._take_up()

    async def _on_change(self) -> None:
        taken: object = None
        async with aclosing(_looks(self._path, self._poll_s)) as looks:
            async for _ in looks:
                if await asyncio.to_thread(_content, self._path) != taken:
                    taken = await self._settled()
                    await self._take_up()

    async def _take_up(self) -> None:
        async with self._turn:
            await self._reload()

    async def _settled(self) -> object:
        """The content once it has stayed the same for a moment, so that a file is not read while it is written."""
        content = await asyncio.to_thread(_content, self._path)
        for _ in range(SETTLE_TIMES):
            await asyncio.sleep(self._settle_s)
            before, content = content, await asyncio.to_thread(_content, self._path)
            if content == before:
                return content
        log.warning("%s keeps changing; it is read as it is now", self._path)
        return content


def _content(path: Path) -> object:
    """The file's bytes, or what kind of error keeps them away."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as exc:
        return exc.errno


async def _looks(path: Path, poll_s: float) -> AsyncGenerator[None, None]:
    """One item at first, one for each change of an entry on the way to the file, and one every `poll_s`."""
    warned = False
    while True:
        yield
        entries = await asyncio.to_thread(entries_of, path)
        try:
            async with aclosing(_events(entries, poll_s)) as events:
                async for _ in events:
                    warned = False
                    yield
                    if await asyncio.to_thread(entries_of, path) != entries:
                        break
        except (OSError, RuntimeError) as exc:  # the latter where the system allows no more watches
            if not warned:
                log.warning("%s cannot be watched, it is looked at every %g s: %s", path, poll_s, exc)
            warned = True
            await asyncio.sleep(poll_s)


def _events(entries: Entries, poll_s: float) -> AsyncGenerator[object, None]:
    """Directories are watched, not the file: a rename or swap replaces what a watch of the file would hold on to."""
    names = {name for _, name in entries}

    def concerns(_change: Change, path: str) -> bool:
        return os.path.basename(path) in names

    return awatch(
        *{directory for directory, _ in entries if directory.is_dir()},
        watch_filter=concerns,
        recursive=False,
        debounce=100,
        step=20,
        rust_timeout=int(poll_s * 1000),
        yield_on_timeout=True,
    )


def entries_of(path: Path) -> Entries:
    """The file's own entry, and the entries of the links that lead to it, those of directories included."""
    found: set[tuple[Path, str]] = set()
    ahead = [path]
    while ahead and len(found) < MAX_LINKS:
        path = ahead.pop()
        if (path.parent, path.name) in found:
            continue
        found.add((path.parent, path.name))
        links = [part for part in (path, *path.parents) if part.is_symlink() and part.parent != part.parent.parent]
        for link in links:
            found.add((link.parent, link.name))
            ahead.append(link.parent / os.readlink(link) / path.relative_to(link))
    return frozenset(found)
