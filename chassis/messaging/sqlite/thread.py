"""A thread that owns a connection to SQLite. It commits jobs that wait at the same time together."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis.messaging.port import BrokerUnavailable, MessagingError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
"""May raise MessagingError, but only before it writes: the other jobs of the batch are still committed."""
_AT_ONCE = 256


@dataclass(slots=True)
class _QueuedJob:
    job: Job[Any]
    is_write: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: object = None
    error: Exception | None = None


class SqliteThread:
    """The first job starts it. If the file cannot be opened, the next job tries again."""

    def __init__(self, open_file: Callable[[], sqlite3.Connection]) -> None:
        self._open_file = open_file
        self._connection: sqlite3.Connection | None = None
        self._waiting: queue.SimpleQueue[_QueuedJob | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def run(self, job: Job[T], *, is_write: bool = True) -> T:
        """Raises the job's MessagingError, and BrokerUnavailable. A cancelled job may still run."""
        if self._is_closed:
            raise BrokerUnavailable("the broker was closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="SQLite broker", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_QueuedJob(job, is_write, loop, future))
        return await future

    async def aclose(self) -> None:
        """Returns after the waiting jobs."""
        self._is_closed = True
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while batch := self._next_batch():
            self._commit(batch)
            for loop in {one.loop for one in batch}:
                mine = [one for one in batch if one.loop is loop]
                with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
                    loop.call_soon_threadsafe(_settle, mine)
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _next_batch(self) -> list[_QueuedJob]:
        """Empty if the broker was closed."""
        first = self._waiting.get()
        batch = [first] if first else []
        with contextlib.suppress(queue.Empty):
            while batch and len(batch) < _AT_ONCE:
                following = self._waiting.get_nowait()
                if following is None:
                    self._waiting.put(None)
                    break
                batch.append(following)
        return batch

    def _commit(self, batch: list[_QueuedJob]) -> None:
        try:
            connection = self._connection = self._connection or self._open_file()
            is_write = any(one.is_write for one in batch)
            with _transaction(connection) if is_write else contextlib.nullcontext():
                for one in batch:
                    _do(one, connection)
        except Exception as error:  # the whole batch was rolled back
            self._close()
            for one in batch:
                one.error = _unavailable(error)


def _do(waiting: _QueuedJob, connection: sqlite3.Connection) -> None:
    try:
        waiting.result = waiting.job(connection)
    except MessagingError as refusal:
        waiting.error = refusal


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _unavailable(error: Exception) -> BrokerUnavailable:
    unavailable = BrokerUnavailable(f"the broker's file: {error}")
    unavailable.__cause__ = error
    return unavailable


def _settle(batch: list[_QueuedJob]) -> None:
    for one in batch:
        if one.future.done():  # its caller was cancelled
            continue
        if one.error is not None:
            one.future.set_exception(one.error)
        else:
            one.future.set_result(one.result)
