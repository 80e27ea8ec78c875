"""Daemon threads for blocking calls, each with a value of its own: a process may end while one of them waits."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar


class Blocking(Protocol):
    """What a thread calls. `give_up`, from another thread, ends the call that is under way."""

    def give_up(self) -> None: ...
    def close(self) -> None: ...


R = TypeVar("R", bound=Blocking)
T = TypeVar("T")


class WorkerThreads(Generic[R]):
    """At most `limit` calls at once; the next ones wait. It belongs to one event loop. `make`: a thread's own value."""

    def __init__(self, name: str, limit: int, make: Callable[[], R]) -> None:
        self._name = name
        self._make = make
        self._idle: list[_WorkerThread[R]] = []
        self._free = asyncio.Semaphore(limit)
        self._closed = False

    async def run(self, work: Callable[[R], T]) -> T:
        """What `work` returns or raises. Cancelling gives the call up."""
        await self._free.acquire()
        worker = self._idle.pop() if self._idle else _WorkerThread(self._name, self._make())
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        worker.start(work, done, lambda: self._returned(worker))
        try:
            return await done
        except asyncio.CancelledError:
            worker.own.give_up()
            raise

    def close(self) -> None:
        """Ends idle threads; one that is in a call ends after it."""
        self._closed = True
        while self._idle:
            self._idle.pop().end()

    def _returned(self, worker: "_WorkerThread[R]") -> None:
        self._free.release()
        if self._closed:
            worker.end()
        else:
            self._idle.append(worker)


class _WorkerThread(Generic[R]):
    def __init__(self, name: str, own: R) -> None:
        self.own = own
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def start(self, work: Callable[[R], T], done: asyncio.Future[T], returned: Callable[[], None]) -> None:
        loop = done.get_loop()

        def job() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = work(self.own)
            except BaseException as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(_finish, done, result, error, returned)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self.end()

        self._jobs.put(job)

    def end(self) -> None:
        """While it is in no call."""
        self.own.close()
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _finish(
    done: asyncio.Future[Any], result: object, error: BaseException | None, returned: Callable[[], None]
) -> None:
    returned()
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
