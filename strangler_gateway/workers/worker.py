"""The process of one worker: serves the public port as its parent says. `python -m …worker CHANNEL LISTENER…`.

It has no state of its own: it tells its parent what it has counted several times a second, and ends when its parent
does. Signals are the parent's.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

import uvicorn

from chassis.service.logs import configure
from chassis.settings import SettingsInvalid
from strangler_gateway import collector, opening
from strangler_gateway.gateway import Outside
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.identity.signer import Signer, SigningKeyInvalid, read_keys
from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.serving import InProcess
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.bulkheads import tell_bulkheads
from strangler_gateway.telemetry.drained import drain as drained
from strangler_gateway.telemetry.instances import told
from strangler_gateway.telemetry.migration_steps.counts import adopt_steps
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.asking import ParentCounters, ParentTurns, Questions
from strangler_gateway.workers.channel import Channel, ChannelLost, Message, open_channel, unpacked
from strangler_gateway.workers.recording import record

log = logging.getLogger(__name__)

TELL_S: Final = 0.25
LAST_S: Final = 20.0
"""How long requests under way may take after the parent has gone."""
_FAULTS = (IdentityRulesInvalid, SigningKeyInvalid, SettingsInvalid, OSError)


def main(arguments: Sequence[str]) -> int:
    """Runs until the parent says stop, or has gone; gives the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    configure("strangler")
    channel, *listeners = [socket.socket(fileno=int(handle)) for handle in arguments]
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_run(channel, listeners))


async def _run(connected: socket.socket, listeners: list[socket.socket]) -> int:
    channel = await open_channel(connected)
    try:
        begin = await channel.receive()
        settings, keys, mark = unpacked(begin["shared"])
        questions = Questions(channel)
        with opening.log_output(settings) as out:
            outside = Outside(
                AccessLog(out, settings.log_fields.split(","), shared=True),
                Signer(read_keys(keys, "the parent")),
                Stats(hashed=opening.hashed_users(settings)),
                publishing=opening.publishing(settings),
                shared_counters=opening.shared_counters(settings),
                discovery=opening.discovery(settings),
                mark=mark,
                turns=ParentTurns(questions, channel),
                counters=ParentCounters(questions, MemoryCounters(time.monotonic)),
                traces=opening.traces(),
            )
            serving = InProcess(settings, outside, listeners)
            try:
                await serving.begin(unpacked(begin["table"]))
                await GatewayWorker(channel, serving, outside, questions, begin).serve()
            finally:
                await serving.aclose()
                await outside.publishing.aclose()
    except ChannelLost:
        return 1  # the parent has gone before it said what to serve
    except _FAULTS as exc:
        channel.send("failed", why=str(exc))
        await channel.flush()
        return 1
    return 0


class GatewayWorker:
    """Does what the parent says, and tells it what was counted."""

    def __init__(
        self, channel: Channel, serving: InProcess, outside: Outside, questions: Questions, begin: Message
    ) -> None:
        self._channel, self._serving, self._outside, self._questions = channel, serving, outside, questions
        self._serves = int(begin["number"])
        self._leave_asked, self._stop_asked = asyncio.Event(), asyncio.Event()
        self._leave_s = self._drain_s = 0.0
        self._accepting = True
        self._recording: asyncio.Task[None] | None = None
        self._at_once = asyncio.Event()
        adopt_steps(outside.stats.steps, begin["steps"])

    async def serve(self) -> None:
        """Serves until the parent says stop, or has gone; then finishes what is under way."""
        async with asyncio.TaskGroup() as tasks:
            await self._serving.serve(tasks)
            helpers = [tasks.create_task(one) for one in (self._listen(), self._tell_for_ever())]
            await asyncio.sleep(0)
            collector.settle()
            self._channel.send("up", number=self._serves)
            await self._leave_asked.wait()
            await self._serving.leave(self._leave_s, self._stop_asked.wait(), accepting=self._accepting)
            await self._stop_asked.wait()
            await self._serving.stop(self._drain_s, self._at_once.wait())
            for helper in helpers:
                helper.cancel()
        self._tell()
        await self._channel.flush()

    async def _listen(self) -> None:
        try:
            while True:
                message = await self._channel.receive()
                self._HEARD[message["is"]](self, message)
        except ChannelLost:
            if not self._stop_asked.is_set():
                log.error("the parent of this worker has ended: it finishes what is under way, and ends")
            self._drain_s = LAST_S
            self._leave_asked.set()
            self._stop_asked.set()

    async def _tell_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            if not self._channel.clogged:
                self._tell()

    def _tell(self, number: int = 0) -> None:
        """`number`: of the question that this answers."""
        outside, limits = self._outside, self._serving.limits
        self._channel.send(
            "counted",
            number=number,
            delta=drained(outside.stats),
            examples=outside.examples.drain(),
            limits={"redis": limits.redis, "problem": limits.problem, "forgotten": limits.forgotten},
            turns=self._serving.turns,
            instances=told(self._serving.instances),
            bulkheads=tell_bulkheads(self._serving.bulkheads),
        )

    def _table(self, message: Message) -> None:
        """Another table, from the next request on."""
        number = int(message["number"])
        if number <= self._serves:
            return
        self._tell()  # of the steps that end here
        try:
            self._serving.adopt(unpacked(message["table"]))
        except Exception as exc:
            log.exception("the new table cannot be served")
            self._channel.send("refused", number=number, why=str(exc)[:500])
            return
        adopt_steps(self._outside.stats.steps, message["steps"])
        self._serves = number
        self._channel.send("serves", number=number)

    def _count(self, message: Message) -> None:
        self._tell(int(message["number"]))

    def _again(self, message: Message) -> None:
        for unit, routes in message["routes"].items():
            self._outside.stats.forget(unit, routes)

    def _anew(self, message: Message) -> None:
        """Users who have failed count again, too."""
        self._outside.stats.begin_anew()

    def _answer(self, message: Message) -> None:
        if not self._questions.hear(message) and message.get("of") == "turn" and message["value"]:
            self._channel.send("release", key=message["key"])  # whose client has left

    def _record(self, message: Message) -> None:
        if self._recording is not None:
            self._recording.cancel()
        asked = message["asked"]
        recorder = self._serving.recorder
        self._recording = asyncio.create_task(record(self._channel, recorder, asked)) if asked is not None else None

    def _leave(self, message: Message) -> None:
        self._leave_s, self._accepting = float(message["seconds"]), bool(message["accepting"])
        self._leave_asked.set()

    def _stop(self, message: Message) -> None:
        self._leave_asked.set()
        self._drain_s = float(message["drain_s"])
        if self._stop_asked.is_set() or not self._drain_s:
            self._at_once.set()
        self._stop_asked.set()

    _HEARD = {  # noqa: RUF012  # never changed
        "again": _again,
        "answer": _answer,
        "anew": _anew,
        "record": _record,
        "table": _table,
        "count": _count,
        "leave": _leave,
        "stop": _stop,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
