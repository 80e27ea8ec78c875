"""The messaging port on an SQLite file that the processes of one host share.

A consumer takes a message under a lease and renews it while the handler runs. If the process dies, or stands still for
longer than the lease, the message is delivered again. A confirmed message survives the death of every process. A power
failure may lose the last ones, unless `is_full` makes each confirm wait for the disk.
"""

import asyncio
import contextlib
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import structlog

from chassis.messaging.envelope import Envelope, encode_body, to_record
from chassis.messaging.port import BrokerUnavailable, Handler, MessagingError
from chassis.messaging.sqlite import jobs
from chassis.messaging.sqlite.consumer_loop import ConsumerLoop
from chassis.messaging.sqlite.queues import LeasedQueue, ReplyQueue
from chassis.messaging.sqlite.schema import open_file
from chassis.messaging.sqlite.thread import Job, SqliteThread
from chassis.messaging.topology import Topology

T = TypeVar("T")
log = structlog.get_logger("chassis.messaging")
POLL_S = 0.05
"""The longest time until another process sees a message."""
_BUSY_S = 1.0
"""For so long after a message, the file is checked five times as often."""
_LOOK_S = 1.0
"""The longest time until an ended lease is noticed."""
_KEEP_S = 10.0
_REPLIES_AT_ONCE = 100
_in_process: "weakref.WeakSet[SqliteBroker]" = weakref.WeakSet()


class SqliteBroker:
    """`lease_s`, `silence_s`: at most 60. An exclusive queue is deleted after its owner was silent for `silence_s`.

    `clock`: shared by all processes of the host. `name`: the deployable's, for logs.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        lease_s: float = 10.0,
        is_full: bool = False,
        poll_s: float = POLL_S,
        silence_s: float = jobs.LONGEST_SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path.absolute()
        self.lease_s, self.clock = min(lease_s, jobs.LONGEST_LEASE_S), clock
        self._name, self._poll_s, self._silence_s = name, poll_s, min(silence_s, jobs.LONGEST_SILENCE_S)
        self._thread = SqliteThread(lambda: open_file(self.path, is_full=is_full, busy_s=5.0))
        self._consumers: list[ConsumerLoop] = []
        self._replies: dict[str, str] = {}  # queue → exchange
        self._held: dict[int, int] = {}  # id → token of each message that is being handled
        self._busy_at = 0.0
        self._ticking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        _in_process.add(self)

    async def run(self, job: Job[T], *, is_write: bool = True) -> T:
        """Runs a job in the broker's thread. Raises BrokerUnavailable and the job's own MessagingError."""
        return await self._thread.run(job, is_write=is_write)

    async def declare(self, topology: Topology) -> None:
        await self.run(lambda connection: jobs.declare(connection, topology.queues))

    async def publish(
        self,
        exchange: str,
        envelope: Envelope,
        *,
        routing_key: str | None = None,
        persistent: bool = True,  # always
        expires_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        body = encode_body(envelope.body)
        key = envelope.type if routing_key is None else routing_key
        try:
            async with asyncio.timeout(timeout_s):
                await self.put(exchange, key, to_record(envelope), body, expires_s)
        except TimeoutError as error:
            raise BrokerUnavailable(f"no confirm within {timeout_s} s") from error

    async def put(
        self, exchange: str, key: str, properties: Mapping[str, object], body: bytes, expires_s: float | None = None
    ) -> None:
        """Publishes without checking the message."""
        expires_at = None if expires_s is None else self.clock() + expires_s
        await self.run(lambda connection: jobs.put(connection, exchange, key, properties, body, expires_at))
        self.wake_all()

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> ConsumerLoop:
        source = LeasedQueue(self.run, self.clock, queue, self.lease_s, self._held, self.wake_all)
        return self._start(ConsumerLoop(source, handler, prefetch, queue))

    async def replies(self, exchange: str, handler: Handler) -> str:
        queue = f"{exchange}.{secrets.token_hex(16)}"
        self._replies[queue] = exchange
        with contextlib.suppress(BrokerUnavailable):  # `_tick` creates the queue later
            await self._keep(queue, exchange)
        source = ReplyQueue(self.run, self.clock, queue)
        self._start(ConsumerLoop(source, handler, _REPLIES_AT_ONCE, queue))
        return queue

    async def depth(self, queue: str) -> int:
        return await self.run(lambda connection: jobs.depth(connection, queue, self.clock()), is_write=False)

    async def ping(self) -> None:
        await self.run(jobs.changed, is_write=False)

    async def aclose(self) -> None:
        _in_process.discard(self)
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        with contextlib.suppress(MessagingError):  # otherwise another process prunes them
            for queue in self._replies:
                await self.run(lambda connection, queue=queue: jobs.delete_queue(connection, queue))  # type: ignore[misc]
        await self._thread.aclose()

    def _start(self, consumer: ConsumerLoop) -> ConsumerLoop:
        self._loop = asyncio.get_running_loop()
        self._consumers.append(consumer)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick(), name=f"broker of {self._name}")
        return consumer

    async def _keep(self, queue: str, exchange: str) -> None:
        until = self.clock() + self._silence_s
        await self.run(lambda connection: jobs.keep_replies(connection, exchange, queue, until))

    async def _tick(self) -> None:
        seen, wake_at, renew_at, keep_at = -1, 0.0, 0.0, 0.0
        while True:
            try:
                now = self.clock()
                version = await self.run(jobs.changed, is_write=False)
                if version != seen:
                    self._busy_at = now
                if version != seen or now >= wake_at:  # another process wrote, or its lease may have ended
                    seen, wake_at = version, now + min(_LOOK_S, self.lease_s / 4)
                    self._wake()
                if now >= renew_at:
                    await self._renew()
                    renew_at = now + self.lease_s / 4
                if now >= keep_at:
                    await self._keep_and_prune()
                    keep_at = now + min(_KEEP_S, self._silence_s / 4)
            except Exception as error:  # goes on: without this loop no lease would be renewed
                is_known = isinstance(error, MessagingError)
                log.warning("the broker's file cannot be used", reason=str(error), exc_info=not is_known)
            await asyncio.sleep(self._poll_s / (5 if self.clock() - self._busy_at < _BUSY_S else 1))

    async def _renew(self) -> None:
        if held := [*self._held.items()]:
            until = self.clock() + self.lease_s
            await self.run(lambda connection: jobs.renew(connection, held, until))

    async def _keep_and_prune(self) -> None:
        for queue, exchange in self._replies.items():
            await self._keep(queue, exchange)
        await self.run(lambda connection: jobs.prune(connection, self.clock()))

    def _wake(self) -> None:
        self._consumers = [consumer for consumer in self._consumers if not consumer.is_stopped]
        for consumer in self._consumers:
            consumer.wake()

    def wake_all(self) -> None:
        """Wakes all consumers of this process: a poll does not show what the process itself wrote."""
        self._busy_at = self.clock()  # an answer may come soon
        for broker in [*_in_process]:
            if broker.path == self.path and broker._loop is not None and broker._consumers:
                _call_in(broker._loop, broker._wake)


def _call_in(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if loop is asyncio.get_running_loop():
        callback()
        return
    with contextlib.suppress(RuntimeError):  # closed
        loop.call_soon_threadsafe(callback)
