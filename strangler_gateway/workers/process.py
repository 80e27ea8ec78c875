"""One worker, seen from the parent: its process, its channel, what it has said."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.workers.channel import Channel, ChannelLost, Message, open_channel

_MODULE = "strangler_gateway.workers.worker"


class WorkerProcess:
    """`number` tells workers apart, and stays with the one that replaces another."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number, self.process, self.channel = number, process, channel
        self.up = False
        self.stopping = False
        self.serves = 0
        """The number of the table that it serves."""
        self.told = 0
        """The number of the last question for its counters that it has answered."""
        self.anew_at = 0.0
        """When it was last told to count anew (`Stats.anew_at`)."""
        self.heard = True
        """Whether it has said anything since the last look."""
        self.limits: Mapping[str, object] = {}
        self.bulkheads: Sequence[BulkheadStatus] = ()
        self.turns: str | None = None
        """Why Redis can give it no turns."""
        self.instances: Sequence[InstanceStatus] = ()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    async def listen(self, hear: Callable[["WorkerProcess", Message], None]) -> None:
        """Passes on what the worker says, until it ends."""
        with contextlib.suppress(ChannelLost):
            while True:
                message = await self.channel.receive()
                self.heard = True
                hear(self, message)
        self.kill()
        await self.process.wait()

    def kill(self) -> None:
        """At once, as a fault would."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


async def spawn(number: int, listeners: Sequence[socket.socket], environ: Mapping[str, str]) -> WorkerProcess:
    """A new interpreter with these listening sockets; it waits for its first message. Raises OSError."""
    ours, theirs = socket.socketpair()
    handles = [one.fileno() for one in (theirs, *listeners)]
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _MODULE, *map(str, handles), env=environ, pass_fds=handles
        )
    return WorkerProcess(number, process, await open_channel(ours))
