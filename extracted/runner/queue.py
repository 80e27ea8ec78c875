"""Who runs next: a bounded queue, fair among users, with a fixed number of turns at once.

A job is admitted once, and takes a turn for each program that it starts. Turns go round robin among users; within a
user, jobs that have begun go first, so that few programs lie about half done.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

Clock = Callable[[], float]


class QueueFull(Exception):
    """No more jobs are taken now. `retry_after_s`: when there may be room."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Stopping(Exception):
    """The process is about to end, and has not done this job. It is safe to send it again."""


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """`turns`: programs at once. `jobs`, `jobs_of_user`, `size_bytes`: of all jobs that are admitted at once."""

    turns: int
    jobs: int
    jobs_of_user: int
    size_bytes: int


@dataclass(eq=False, slots=True)
class Admission:
    """A job's place. `user`: whose turn it takes. `begun`: it has had a turn."""

    user: str
    size_bytes: int
    begun: bool = False


@dataclass(slots=True)
class _Waiting:
    """The waiting turns of one user."""

    begun: deque["_Ticket"] = field(default_factory=deque)
    fresh: deque["_Ticket"] = field(default_factory=deque)

    def add(self, turn: "_Ticket") -> None:
        (self.begun if turn.admission.begun else self.fresh).append(turn)

    def remove(self, turn: "_Ticket") -> None:
        for turns in (self.begun, self.fresh):
            if turn in turns:
                turns.remove(turn)

    def first(self) -> "_Ticket":
        return (self.begun or self.fresh).popleft()

    def __iter__(self) -> Iterator["_Ticket"]:
        yield from self.begun
        yield from self.fresh

    def __bool__(self) -> bool:
        return bool(self.begun or self.fresh)


@dataclass(eq=False, slots=True)
class _Ticket:
    admission: Admission
    since: float
    granted: asyncio.Future[None]


class FairQueue:
    """`clock`: seconds, monotonic."""

    def __init__(self, bounds: QueueBounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock
        self._admitted: set[Admission] = set()
        self._size_bytes = 0
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._running = 0
        self._mean_s = 1.0
        self._closed = False
        self.refusals: Counter[str] = Counter()
        """Jobs that were not taken, or given back, by reason: full, user, stopping."""

    @property
    def running(self) -> int:
        """Turns that are taken."""
        return self._running

    @property
    def waiting(self) -> int:
        """Turns that are waited for."""
        return sum(1 for _ in self._turns())

    @property
    def oldest_s(self) -> float:
        """How long the oldest waits."""
        return max((self._clock() - turn.since for turn in self._turns()), default=0.0)

    @contextmanager
    def admitted(self, user: str, size_bytes: int, *, bounded: bool = True) -> Iterator[Admission]:
        """Raises QueueFull, Stopping. Without `bounded`, only the bounds of all users together count."""
        if self._closed:
            self.refusals["stopping"] += 1
            raise Stopping
        self._refuse_excess(user if bounded else None, size_bytes)
        admission = Admission(user, size_bytes)
        self._admitted.add(admission)
        self._size_bytes += size_bytes
        try:
            yield admission
        finally:
            self._admitted.remove(admission)
            self._size_bytes -= size_bytes

    @asynccontextmanager
    async def turn(self, admission: Admission) -> AsyncIterator[None]:
        """Waits for a turn and holds it. Raises Stopping."""
        await self._granted(admission)
        admission.begun = True
        begun = self._clock()
        try:
            yield
        finally:
            self._mean_s += 0.1 * (self._clock() - begun - self._mean_s)
            self._running -= 1
            self._grant()

    def close(self) -> None:
        """Admits no more, and gives back the jobs that have not begun."""
        self._closed = True
        for turn in [turn for turn in self._turns() if not turn.admission.begun]:
            if not turn.granted.done():
                self.refusals["stopping"] += 1
                turn.granted.set_exception(Stopping())

    def _refuse_excess(self, user: str | None, size_bytes: int) -> None:
        if len(self._admitted) >= self._bounds.jobs or self._size_bytes + size_bytes > self._bounds.size_bytes:
            self.refusals["full"] += 1
            raise QueueFull("too many jobs wait", self._retry_after_s(len(self._admitted)))
        own = sum(admission.user == user for admission in self._admitted)
        if user is not None and own >= self._bounds.jobs_of_user:
            self.refusals["user"] += 1
            raise QueueFull("too many jobs of this user wait", self._retry_after_s(own))

    def _retry_after_s(self, jobs: int) -> int:
        """About a tenth of the time that the jobs take, at least 1 s and at most a minute."""
        return round(min(max(jobs * self._mean_s / self._bounds.turns / 10, 1), 60))

    async def _granted(self, admission: Admission) -> None:
        turn = _Ticket(admission, self._clock(), asyncio.get_running_loop().create_future())
        self._waiting.setdefault(admission.user, _Waiting()).add(turn)
        self._grant()
        try:
            await turn.granted
        except BaseException:
            if turn.granted.done() and not turn.granted.cancelled() and turn.granted.exception() is None:
                self._running -= 1  # cancelled just after it was granted
            self._forget(turn)
            self._grant()
            raise

    def _grant(self) -> None:
        while self._waiting and self._running < self._bounds.turns:
            user, waiting = self._waiting.popitem(last=False)
            turn = waiting.first()
            if waiting:
                self._waiting[user] = waiting
            if not turn.granted.done():
                self._running += 1
                turn.granted.set_result(None)

    def _forget(self, turn: _Ticket) -> None:
        user = turn.admission.user
        if (waiting := self._waiting.get(user)) is not None:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[user]

    def _turns(self) -> Iterator[_Ticket]:
        for waiting in self._waiting.values():
            yield from waiting
