"""Server-sent events for open pages: one producer for all of them, which sends only what looks different now."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from strangler_gateway.page.live.live_page import LivePage, message

MAX_VIEWERS = 100
TICK_S, EVERY_S, QUIET_S = 0.2, 2.0, 15.0
MAX_BEHIND = 8
"""Messages that wait for a slow viewer; one more ends its stream, and its browser connects anew."""
FIRST = b"retry: 1000\n\n"
STILL_HERE = b": still here\n\n"
EXPIRED = b"event: expired\ndata: \n\n"


class Topic(NamedTuple):
    """A page that follows by itself: its kind, the group that it is about, its filter, and who may act on it."""

    kind: str
    unit: str = ""
    q: str = ""
    state: str = ""
    acts: bool = False


class Viewer:
    """One open page. None in its queue ends the stream."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_BEHIND)
        self.fresh = True
        """It gets everything with its next message."""


class LiveStream:
    """`produce` gives what a page shows now; `version` changes when something has been moved.

    After a move pages follow within TICK_S, else once in EVERY_S.
    """

    def __init__(
        self,
        produce: Callable[[Topic], Awaitable[LivePage]],
        version: Callable[[], object],
        clock: Callable[[], float],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._produce, self._version, self._clock, self._refresh = produce, version, clock, refresh
        self._viewers: set[Viewer] = set()
        self._shown: dict[Topic, LivePage] = {}
        self._come = asyncio.Event()

    def join(self, topic: Topic) -> Viewer | None:
        """None: there are too many."""
        if len(self._viewers) >= MAX_VIEWERS:
            return None
        viewer = Viewer(topic)
        self._viewers.add(viewer)
        self._come.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """The page is closed."""
        self._viewers.discard(viewer)

    async def run(self) -> None:
        """For ever; costs nothing while nobody looks."""
        try:
            while True:
                await self._come.wait()
                await self._serve()
        finally:
            for viewer in self._viewers:
                _end(viewer)

    async def _serve(self) -> None:
        version, last = self._version(), float("-inf")
        while self._viewers:
            now, seen = self._clock(), self._version()
            if seen != version or now - last >= EVERY_S or any(viewer.fresh for viewer in self._viewers):
                version, last = seen, now
                await self._refresh()
                for topic in {viewer.topic for viewer in self._viewers}:
                    self._send(topic, await self._produce(topic))
            await asyncio.sleep(TICK_S)
        self._come.clear()
        self._shown.clear()

    def _send(self, topic: Topic, page: LivePage) -> None:
        changed = message(page.since(self._shown.get(topic, LivePage())))
        self._shown[topic] = page
        everything = b""
        for viewer in [one for one in self._viewers if one.topic == topic]:
            if viewer.fresh:
                everything = everything or message(page.whole())
            said, viewer.fresh = everything if viewer.fresh else changed, False
            if said:
                try:
                    viewer.messages.put_nowait(said)
                except asyncio.QueueFull:
                    self._viewers.discard(viewer)
                    _end(viewer)

    async def events(self, viewer: Viewer, is_allowed: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        """What is written to a viewer, until it may not look any more."""
        yield FIRST
        try:
            while is_allowed():
                said: bytes | None = STILL_HERE
                with suppress(TimeoutError):
                    said = await asyncio.wait_for(viewer.messages.get(), QUIET_S)
                if said is None:
                    return
                yield said
            yield EXPIRED
        finally:
            self.leave(viewer)


def _end(viewer: Viewer) -> None:
    while not viewer.messages.empty():
        viewer.messages.get_nowait()
    viewer.messages.put_nowait(None)
