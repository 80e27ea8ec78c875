"""Seen from the gateway that runs: processes that want to take over from it, and the one that does."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from strangler_gateway.handover.door import NAME, open_door, pass_on
from strangler_gateway.serving import Serving
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.position import parse_place, placed
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.drained import drain
from strangler_gateway.telemetry.migration_steps.counts import adopt_steps
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.channel import Channel, ChannelLost, open_channel

log = logging.getLogger(__name__)

PREPARE_S: Final = 120.0
"""How long a process may take from its first word until it takes over."""
SERVE_S: Final = 60.0
"""And from there until it serves."""
TELL_S: Final = 0.25
LEAVE_S: Final = 2.0
"""How long clients are told that their connections end, before idle ones are closed."""


class Successors:
    """Waits for one. `public`, `admin`: what is passed on."""

    def __init__(self, state: Path, public: Sequence[socket.socket], admin: socket.socket) -> None:
        self._path, self._door = state / NAME, open_door(state)
        self._public, self._admin = list(public), admin

    async def next(self) -> Channel:
        """The next one that is ready to take over."""
        loop = asyncio.get_running_loop()
        while True:
            asking, _ = await loop.sock_accept(self._door)
            try:
                if not _is_ours(asking):
                    raise PermissionError("it is of another user")
                await asyncio.to_thread(pass_on, asking, self._public, self._admin)
                channel = await open_channel(asking)
            except OSError as exc:
                log.warning("a process that wants to take over cannot be answered: %s", exc)
                asking.close()
                continue
            with contextlib.suppress(ChannelLost, TimeoutError):
                async with asyncio.timeout(PREPARE_S):
                    if (await channel.receive())["is"] == "take":
                        return channel
            channel.close()
            log.warning("a process wanted to take over and has not come so far; this one goes on")

    def close(self, *, handed_over: bool) -> None:
        """A successor has put its own socket in the place of this one."""
        self._door.close()
        if not handed_over:
            with contextlib.suppress(OSError):
                self._path.unlink()


class Successor:
    """The process that takes over."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def refuse(self, why: str) -> None:
        """This process goes on."""
        self._channel.send("refused", why=why)

    async def serves(self, guards: Sequence[Mapping[str, object]]) -> bool:
        """Gives it the state directory; true once it serves, false if it has ended or says nothing in time."""
        self._channel.send("yours", guards=list(guards))
        with contextlib.suppress(ChannelLost, TimeoutError):
            async with asyncio.timeout(SERVE_S):
                return bool((await self._channel.receive())["is"] == "serving")
        return False

    async def follow(self, serving: Serving, table: RouteTable, stats: Stats, examples: Examples) -> None:
        """Serves what the successor decides, and tells it what is counted, until it is cancelled or that has ended."""
        telling = asyncio.create_task(self._tell_for_ever(stats, examples))
        try:
            while True:
                message = await self._channel.receive()
                if message["is"] == "positions":
                    table = _with(table, message["positions"])
                    serving.adopt(table)
                    adopt_steps(stats.steps, message["steps"])
                    await serving.acknowledged()
                    self._channel.send("serves", number=message["number"])
                elif message["is"] == "count":
                    await serving.refresh()
                    self.tell(stats, examples, int(message["number"]))
        except ChannelLost:
            log.warning("the process that took over has ended")
        finally:
            telling.cancel()

    async def _tell_for_ever(self, stats: Stats, examples: Examples) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            self.tell(stats, examples)

    def tell(self, stats: Stats, examples: Examples, number: int = 0) -> None:
        """`number`: of the question that this answers."""
        self._channel.send("counted", number=number, delta=drain(stats), examples=examples.drain())

    async def end(self) -> None:
        """All is told."""
        await self._channel.flush()
        self._channel.close()

    def close(self) -> None:
        """It does not take over."""
        self._channel.close()


def _with(table: RouteTable, positions: Mapping[str, Any]) -> RouteTable:
    """Of the successor's file only the positions of what this process knows, too."""
    known = {name: movable for name, movable in table.movables.items() if name in positions}
    return table.with_movables({name: placed(one, parse_place(positions[name])) for name, one in known.items()})


def _is_ours(asking: socket.socket) -> bool:
    """Whether it is a process of the same user, or of root (unix(7), SO_PEERCRED)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return user in (0, os.getuid())
