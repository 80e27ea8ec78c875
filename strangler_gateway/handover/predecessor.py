"""Seen from the new process: the gateway that it takes over from, until that has finished what is under way."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from strangler_gateway.handover.door import HandoverRefused, knock, receive
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.position import place, position_of
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.drained import add, without_users
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.channel import Channel, ChannelLost, Message, open_channel

log = logging.getLogger(__name__)

YIELD_S: Final = 60.0
SERVE_S: Final = 5.0


async def find(state: Path) -> "Predecessor | None":
    """The gateway that runs on this state directory and hands over, if there is one. Raises OSError."""
    asking = await asyncio.to_thread(knock, state)
    if asking is None:
        return None
    try:
        public, admin = await asyncio.to_thread(receive, asking)
    except OSError:
        asking.close()
        raise
    return Predecessor(await open_channel(asking), public, admin)


class Predecessor:
    """It goes on as before until `take`, and takes up again if this process ends before `serving`."""

    def __init__(self, channel: Channel, public: Sequence[socket.socket], admin: socket.socket) -> None:
        self.public, self.admin = public, admin
        self._channel = channel
        self._following: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._table: dict[str, object] = {}
        self._number = self._serves = self._asked = self._told = 0

    async def take(self) -> Sequence[Mapping[str, Any]]:
        """The state directory is this process's from now on; gives the guards that watched. Raises HandoverRefused."""
        self._channel.send("take")
        try:
            async with asyncio.timeout(YIELD_S):
                message = await self._channel.receive()
        except (TimeoutError, ChannelLost) as exc:
            raise HandoverRefused("the gateway that runs has not handed over in time; it goes on") from exc
        if message["is"] != "yours":
            raise HandoverRefused(f"the gateway that runs does not hand over: {message.get('why')}")
        guards: Sequence[Mapping[str, Any]] = message["guards"]
        return guards

    def serving(self, stats: Stats, examples: Examples) -> None:
        """This process serves: the other one takes no connection any more, and tells what it still counts."""
        self._channel.send("serving")
        self._following = asyncio.create_task(self._follow(stats, examples))

    @property
    def serves(self) -> bool:
        """Whether it finishes requests still."""
        return self._following is not None and not self._following.done()

    def adopt(self, table: RouteTable, stats: Stats) -> None:
        """What is under way there is decided anew by these positions, where it is decided yet."""
        if not self.serves:
            return
        self._number += 1
        asyncio.get_running_loop().call_soon(self._tell, table, stats, self._number)

    def _tell(self, table: RouteTable, stats: Stats, number: int) -> None:
        positions = {name: place(position_of(movable)) for name, movable in table.movables.items()}
        steps = {unit: [step.since, step.share] for unit, step in stats.steps.items()}
        self._channel.send("positions", number=number, positions=positions, steps=steps)

    async def acknowledged(self) -> tuple[str, ...]:
        """Returns when it serves them, or has ended."""
        wanted = self._number
        if await self._until(lambda: self._serves >= wanted):
            return ()
        return ("the process before has not said that it serves this; it is ending",)

    async def refresh(self) -> None:
        """Returns when it has told what it has counted."""
        if self.serves:
            self._asked += 1
            wanted = self._asked
            self._channel.send("count", number=wanted)
            await self._until(lambda: self._told >= wanted)

    async def _until(self, done: Any) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVE_S):
                while self.serves and not done():
                    self._news.clear()
                    await self._news.wait()
        return bool(done()) or not self.serves

    async def _follow(self, stats: Stats, examples: Examples) -> None:
        try:
            while True:
                self._hear(await self._channel.receive(), stats, examples)
                self._news.set()
        except ChannelLost:
            log.info("the process before has ended")
        finally:
            self._channel.close()
            asyncio.get_running_loop().call_soon(self._news.set)

    def _hear(self, message: Message, stats: Stats, examples: Examples) -> None:
        try:
            if message["is"] == "serves":
                self._serves = int(message["number"])
            elif message["is"] == "counted":
                self._told = max(self._told, int(message["number"]))
                add(stats, without_users(message["delta"]))
                examples.restore(message["examples"])
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            log.warning("what the process before has told cannot be read: %s", exc)

    def close(self) -> None:
        """Before `serving` the other process takes up again."""
        self._channel.close()
        if self._following is not None:
            self._following.cancel()
