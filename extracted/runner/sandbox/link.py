"""The sandbox's end of the socket to its spawner: requests out, one answer each back."""

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chassis.error_reason import reason
from extracted.runner.sandbox.port import SandboxUnavailable
from extracted.runner.sandbox.spawner import messages
from extracted.runner.sandbox.spawner.messages import Facts, Setup

_ROOT: Final = Path(__file__).parents[3]
_SPAWN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from extracted.runner.sandbox.spawner.main import main; "
    "main(int(sys.argv[2]))"
)
_START_S: Final = 20
_STOP_S: Final = 10
_MOST_DESCRIPTORS: Final = 1


class SpawnerGone(SandboxUnavailable):
    """The spawner has ended, and all runs with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`descriptors` are the receiver's to close."""

    kind: str
    values: dict[str, Any]
    descriptors: Sequence[int]


class SpawnerLink:
    """One spawner. All methods belong to one event loop."""

    def __init__(self, process: asyncio.subprocess.Process, end: socket.socket, facts: Facts) -> None:
        self.facts = facts
        self.pid = process.pid
        self._process = process
        self._end = end
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._receive)
        self.closed = False

    @classmethod
    async def started(cls, setup: Setup) -> "SpawnerLink":
        """Raises SandboxUnavailable."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        number = theirs.fileno()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _SPAWN, str(_ROOT), str(number)),
                pass_fds=(number,),
                env={},
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.send(messages.packet("setup", 0, setup))
        data = await _first_answer(ours)
        kind, _, values = messages.read(data) if data else ("failed", 0, {"error": "it ended at once"})
        if kind != "facts":
            ours.close()
            await process.wait()
            raise SandboxUnavailable(f"the sandbox's spawner cannot work: {values['error']}")
        return cls(process, ours, Facts(**values))

    def send(self, kind: str, values: object, descriptors: Sequence[int] = ()) -> tuple[int, asyncio.Future[Answer]]:
        """The request's number, and its answer: SpawnerGone if there will be none. Raises SpawnerGone, ValueError."""
        number = next(self._numbers)
        data = messages.packet(kind, number, values)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._transmit(data, descriptors)
        self._waiting[number] = answer
        return number, answer

    def release(self, run: int, wall_s: float) -> None:
        """Lets a held run begin. If it has ended, its answer says why. Raises SpawnerGone."""
        self._transmit(messages.packet("release", run, {"wall_s": wall_s}), ())

    def unbox(self, box: int) -> None:
        """Removes a box in which nothing runs, before anything that is sent later. It is not answered."""
        with suppress(SpawnerGone):
            self._transmit(messages.packet("unbox", box, {}), ())

    def kill(self, run: int, why: str) -> None:
        """Kills a run, which is answered all the same."""
        if run in self._waiting:
            self._transmit(messages.packet("kill", run, {"why": why}), ())

    def _transmit(self, data: bytes, descriptors: Sequence[int]) -> None:
        """The spawner reads at once: a full socket means that it hangs."""
        if self.closed:
            raise SpawnerGone("the sandbox is closed")
        try:
            socket.send_fds(self._end, [data], descriptors)
        except OSError as error:
            raise SpawnerGone(f"the sandbox's spawner does not answer ({reason(error)})") from error

    def _receive(self) -> None:
        try:
            data, descriptors, _flags, _ = socket.recv_fds(self._end, messages.LARGEST, _MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._lost()
            return
        kind, number, values = messages.read(data)
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(Answer(kind, values, descriptors))
        else:
            for one in descriptors:
                os.close(one)

    def _lost(self) -> None:
        self.closed = True
        self._loop.remove_reader(self._end)
        self._end.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(SpawnerGone("the sandbox's spawner has ended"))
                answer.exception()  # whoever waits for it still gets it
        self._waiting.clear()

    async def aclose(self) -> None:
        """The spawner kills its runs, removes their boxes, and ends."""
        if not self.closed:
            self._lost()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _first_answer(end: socket.socket) -> bytes:
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(end, messages.LARGEST), _START_S)
    except (TimeoutError, OSError):
        return b""
