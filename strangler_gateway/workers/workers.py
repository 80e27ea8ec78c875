"""All workers of one gateway: started, told what to serve, asked what they have counted, replaced where they end."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from strangler_gateway import opening
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.signer import Signer
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.server.shutdown import within
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.bulkheads import BulkheadStatus, all_bulkheads, hear_bulkheads
from strangler_gateway.telemetry.drained import add
from strangler_gateway.telemetry.instances import InstanceStatus, heard, summed
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.turns.needed import expect_shared
from strangler_gateway.upstream.discovery import DiscoveredServices
from strangler_gateway.workers.answering import Answers
from strangler_gateway.workers.channel import Message, packed
from strangler_gateway.workers.divided import divided_settings, divided_table
from strangler_gateway.workers.process import WorkerProcess, spawn
from strangler_gateway.workers.recording import SharedRecorder

log = logging.getLogger(__name__)

START_S: Final = 60.0
COUNT_S: Final = 2.0
"""How long a question for counters waits; then what the workers have told before must do."""
SERVE_S: Final = 5.0
"""How long a move waits for a worker to serve it; then the worker is replaced."""
MISSED: Final = 10
"""A worker that has said nothing for so many seconds hangs."""
LOOK_S: Final = 1.0
_LATE_S: Final = 5.0
"""How long a worker may take to end after its time."""
_FIRST_BACK_OFF_S, _LAST_BACK_OFF_S, _SETTLED_S = 0.1, 10.0, 30.0


class WorkersDidNotStart(OSError):
    """A worker has ended, or said nothing, before it served; the text says why."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What every worker is given once. `mark`: this gateway's in Via fields."""

    settings: Settings
    signer: Signer
    mark: str


class Workers:
    """`listeners`: by worker, the sockets on which it accepts; they stay open here, so that no queue ends with it."""

    def __init__(
        self, shared: Shared, listeners: Sequence[Sequence[socket.socket]], stats: Stats, examples: Examples
    ) -> None:
        self._settings = shared.settings
        self._shared = packed((divided_settings(shared.settings, len(listeners)), shared.signer.pem(), shared.mark))
        self._authority = Authority((), shared.signer, LogThrottle())
        """Finds out whether the providers of a table can be opened, before a worker is told. It serves nobody."""
        self._discovery = opening.discovery(shared.settings)
        self.discovered = DiscoveredServices(self._discovery.watch)
        """For those who ask here; each worker watches by itself."""
        self._listeners = listeners
        self._stats, self._examples = stats, examples
        self._environ = {**os.environ, "PYTHONHASHSEED": str(secrets.randbelow(2**32 - 1) + 1)}
        self._answers = Answers()
        self.recorder = SharedRecorder(self._record)
        self._recorded: Mapping[str, Any] | None = None
        self._running: dict[int, WorkerProcess] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._table, self._number = "", 0
        self._told = 0
        self._asked = 0
        self._failed: str | None = None
        self._stopping = False
        self._begun = asyncio.Event()
        self.replaced = 0
        """Workers that had to be replaced so far."""

    @property
    def up(self) -> list[WorkerProcess]:
        """Those that serve."""
        return [worker for worker in self._running.values() if worker.up and not worker.stopping]

    def prepare(self) -> None:
        """Starts the processes; they wait for the first table."""
        self._keeping = [asyncio.create_task(self._keep(number)) for number in range(len(self._listeners))]

    async def begin(self, table: RouteTable) -> None:
        """Returns when all workers serve. Raises WorkersDidNotStart, IdentityRulesInvalid."""
        self._take(table)
        self._begun.set()
        if not await self._until(lambda: self._failed is not None or len(self.up) == len(self._listeners), START_S):
            raise WorkersDidNotStart(f"not all workers serve after {START_S:g} s")
        if self._failed is not None:
            raise WorkersDidNotStart(self._failed)
        self._looking = asyncio.create_task(self._look_for_ever())

    async def serve(self, tasks: asyncio.TaskGroup) -> None:
        """They do already."""

    def adopt(self, table: RouteTable) -> None:
        """Tells all workers to serve another table; they are told at the end of this turn, with its steps."""
        self._take(table)
        asyncio.get_running_loop().call_soon(self._tell_table)

    def _take(self, table: RouteTable) -> None:
        expect_shared(self._settings, table)
        watches = self.discovered.opened(table.services)
        self._authority.adopt(table.identity)
        self.discovered.keep(table.services, watches)
        self._examples.keep(table)
        self._table, self._number = packed(divided_table(table, len(self._listeners))), self._number + 1

    def _tell_table(self) -> None:
        if self._told == self._number:
            return
        self._told = self._number
        for worker in self._running.values():
            worker.channel.send("table", **self._served())

    def _served(self) -> dict[str, object]:
        steps = {unit: [step.since, step.share] for unit, step in self._stats.steps.items()}
        return {"number": self._number, "table": self._table, "steps": steps}

    async def acknowledged(self) -> tuple[str, ...]:
        """Returns when all workers serve the latest table: who does not in time is replaced, and told of."""
        wanted = self._number
        if await self._until(lambda: all(worker.serves >= wanted for worker in self.up), SERVE_S):
            return ()
        late = [worker for worker in self.up if worker.serves < wanted]
        for worker in late:
            self._give_up(worker, f"did not serve the new table within {SERVE_S:g} s")
        return tuple(f"worker {one.number} did not answer for {SERVE_S:g} s and was replaced" for one in late)

    async def refresh(self) -> None:
        """Returns when everything that the workers have counted so far has been added here."""
        self._asked += 1
        wanted = self._asked
        for worker in self.up:
            worker.channel.send("count", number=wanted)
        if not await self._until(lambda: all(worker.told >= wanted for worker in self.up), COUNT_S):
            late = [worker.number for worker in self.up if worker.told < wanted]
            log.warning("workers %s have not told their counters within %g s", late, COUNT_S)

    def count_again(self, routes: Mapping[str, Sequence[str]]) -> None:
        """Tells all workers, by movable, on which routes users who have failed count again."""
        for worker in self._running.values():
            worker.channel.send("again", routes=routes)

    @property
    def limits(self) -> LimiterStatus:
        """As the workers count for rate limits."""
        said = [worker.limits for worker in self.up if worker.limits]
        problem = next((str(one["problem"]) for one in said if one["problem"]), None)
        redis = next((str(one["redis"]) for one in said if one["redis"]), None)
        forgotten = self._answers.counters.forgotten
        return LimiterStatus(redis, problem, forgotten + sum(int(str(one["forgotten"])) for one in said))

    @property
    def bulkheads(self) -> Sequence[BulkheadStatus]:
        """Of services, over all workers."""
        return all_bulkheads(status for worker in self.up for status in worker.bulkheads)

    @property
    def turns(self) -> str | None:
        """Why Redis can give no turns to one of them."""
        return next((worker.turns for worker in self.up if worker.turns), None)

    def _record(self, asked: Mapping[str, Any] | None) -> None:
        self._recorded = asked
        for worker in self._running.values():
            worker.channel.send("record", asked=asked)

    @property
    def instances(self) -> Sequence[InstanceStatus]:
        """Of services, as the workers see them."""
        return summed(status for worker in self.up for status in worker.instances)

    async def leave(self, seconds: float, at_once: Awaitable[object], *, accepting: bool = True) -> None:
        """The workers serve on for so long, and tell each client that its connection ends."""
        for worker in self._running.values():
            worker.channel.send("leave", seconds=seconds, accepting=accepting)
        await within(at_once, seconds)

    async def stop(self, drain_s: float, at_once: Awaitable[object]) -> None:
        """Ends all workers gracefully, each with its last counters; what is left at the end is ended at once."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        for worker in self._running.values():
            worker.stopping = True
            worker.channel.send("stop", drain_s=drain_s)
        ended, hurry = asyncio.gather(*self._keeping), asyncio.ensure_future(at_once)
        await asyncio.wait((ended, hurry), timeout=drain_s + _LATE_S, return_when=asyncio.FIRST_COMPLETED)
        for worker in self._running.values():
            worker.channel.send("stop", drain_s=0.0)
        hurry.cancel()
        await within(asyncio.shield(ended), _LATE_S)

    async def aclose(self) -> None:
        """Ends whatever still runs."""
        self._stopping = True
        for worker in self._running.values():
            worker.kill()
        for task in (*self._keeping, *filter(None, (self._looking,))):
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self.discovered.aclose()
        self._discovery.close()
        await self._authority.aclose()

    async def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Waits for what workers say to make this true."""
        try:
            async with asyncio.timeout(seconds):
                while not done():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _keep(self, number: int) -> None:
        """Keeps one worker running, until the gateway stops."""
        loop, back_off_s = asyncio.get_running_loop(), _FIRST_BACK_OFF_S
        while not self._stopping:
            started = loop.time()
            await self._run(number)
            if self._stopping:
                return
            if self._looking is None:
                self._fail(f"worker {number} has ended before it served; its log says why")
                return
            self.replaced += 1
            back_off_s = _FIRST_BACK_OFF_S if loop.time() - started > _SETTLED_S else back_off_s
            log.error("worker %d has ended; another one starts in %g s", number, back_off_s)
            await asyncio.sleep(back_off_s)
            back_off_s = min(2 * back_off_s, _LAST_BACK_OFF_S)

    async def _run(self, number: int) -> None:
        try:
            worker = await spawn(number, self._listeners[number], self._environ)
        except OSError as exc:
            log.error("worker %d cannot be started: %s", number, exc)
            return
        self._running[number] = worker
        try:
            await self._begun.wait()
            worker.channel.send("begin", shared=self._shared, **self._served())
            await worker.listen(self._hear)
        finally:
            worker.kill()
            self._answers.ended(worker.pid)
            del self._running[number]
            self._news.set()

    def _fail(self, why: str) -> None:
        self._failed = self._failed or why
        self._news.set()

    def _give_up(self, worker: WorkerProcess, why: str) -> None:
        log.error("worker %d (process %d) %s: it is ended", worker.number, worker.pid, why)
        worker.kill()

    async def _look_for_ever(self) -> None:
        """Replaces workers that hang. Its looks are counted, not seconds: this process may stand still, too."""
        missed: dict[int, int] = {}
        while True:
            await asyncio.sleep(LOOK_S)
            for worker in self.up:
                missed[worker.pid] = 0 if worker.heard else missed.get(worker.pid, 0) + 1
                worker.heard = False
                if missed[worker.pid] >= MISSED:
                    self._give_up(worker, f"has said nothing for {MISSED} s")
            missed = {worker.pid: missed[worker.pid] for worker in self.up}

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        try:
            self._HEARD[message["is"]](self, worker, message)
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            self._give_up(worker, f"has sent a message that cannot be read ({type(exc).__name__})")
        self._news.set()

    def _is_up(self, worker: WorkerProcess, message: Message) -> None:
        worker.up, worker.serves = True, int(message["number"])
        if worker.serves < self._number:
            worker.channel.send("table", **self._served())

        worker.channel.send("record", asked=self._recorded)

    def _failed_to_start(self, worker: WorkerProcess, message: Message) -> None:
        log.error("worker %d cannot serve: %s", worker.number, message["why"])
        self._fail(str(message["why"]))

    def _serves(self, worker: WorkerProcess, message: Message) -> None:
        worker.serves = int(message["number"])

    def _refused(self, worker: WorkerProcess, message: Message) -> None:
        self._give_up(worker, f"cannot serve the new table ({message['why']})")

    def _counted(self, worker: WorkerProcess, message: Message) -> None:
        add(self._stats, message["delta"])
        self._examples.restore(message["examples"])
        worker.limits, worker.turns = message["limits"], message["turns"]
        worker.instances = heard(message["instances"])
        worker.bulkheads = hear_bulkheads(message["bulkheads"])
        worker.told = max(worker.told, int(message["number"]))
        if worker.anew_at != self._stats.anew_at:
            worker.anew_at = self._stats.anew_at
            worker.channel.send("anew")

    def _limit(self, worker: WorkerProcess, message: Message) -> None:
        self._answers.limit(message, lambda value: worker.channel.send("answer", id=message["id"], value=value))

    def _turn(self, worker: WorkerProcess, message: Message) -> None:
        number, key = message["id"], message["key"]

        def answer(value: object) -> None:
            worker.channel.send("answer", id=number, of="turn", key=key, value=value)

        self._answers.turn(worker.pid, message, answer)

    def _captured(self, worker: WorkerProcess, message: Message) -> None:
        self.recorder.captured(message)

    def _left_out(self, worker: WorkerProcess, message: Message) -> None:
        self.recorder.left_out(message["reasons"])

    def _release(self, worker: WorkerProcess, message: Message) -> None:
        self._answers.release(worker.pid, message)

    _HEARD: Mapping[str, Callable[["Workers", WorkerProcess, Message], None]] = {
        "up": _is_up,
        "failed": _failed_to_start,
        "serves": _serves,
        "refused": _refused,
        "counted": _counted,
        "limit": _limit,
        "turn": _turn,
        "release": _release,
        "captured": _captured,
        "left_out": _left_out,
    }
