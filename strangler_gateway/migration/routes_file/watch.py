"""Reloads the routes file when its content changes, and on SIGHUP.

The content is read every POLL_S, because that sees every change: a rename, a write in place, the symlink swap of a
Kubernetes volume, a network file system. Events of the kernel would be faster by less than that and miss some of them.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from strangler_gateway.config.yaml.tree import MAX_BYTES

log = logging.getLogger(__name__)

POLL_S = 0.25
SETTLE_S = 0.03
SETTLE_TIMES = 30


class Reloader:
    """Calls `reload`, one call at a time; `reload` deals with a faulty file itself."""

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

    async def run(self) -> None:
        """Runs until it is cancelled. Reloads once at first: the file may have changed since it was read."""
        hangup, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, hangup.set)
        loaded: object = None
        try:
            while True:
                content = await self._content()
                if content != loaded or hangup.is_set():
                    hangup.clear()
                    loaded = await self._settled(content)
                    await self._reload()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await hangup.wait()
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _settled(self, content: object) -> object:
        """The content once it has stayed the same for a moment: a file that is still being written is not read."""
        for _ in range(SETTLE_TIMES):
            await asyncio.sleep(self._settle_s)
            before, content = content, await self._content()
            if content == before:
                return content
        log.warning("%s keeps changing; it is read as it is now", self._path)
        return content

    async def _content(self) -> object:
        return await asyncio.to_thread(_content, self._path)


def _content(path: Path) -> object:
    """The file's bytes, or the error number that keeps them away."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as exc:
        return exc.errno
