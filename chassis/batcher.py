"""Answers questions that come close together by one call: cheaper under load, and a single question does not wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from chassis import deadline
from chassis.store import StoreUnavailable

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class GatherPace:
    """The time between two calls, in seconds: `calls` times what a call has lately taken, within the two limits.

    So under load, when a call takes longer, more questions go together.
    """

    least_s: float = 0.0
    most_s: float = 0.0
    calls: float = 1.0

    def pause_s(self, call_s: float) -> float:
        """`call_s`: what a call takes."""
        return min(self.most_s, max(self.least_s, self.calls * call_s))


NO_PAUSE: Final = GatherPace()


@dataclass(frozen=True, slots=True)
class _PendingQuestion(Generic[Question, Answer]):
    question: Question
    answer: "asyncio.Future[Answer]"


class Batcher(Generic[Question, Answer]):
    """One per loop. `ask` starts after all its questions were put, and returns the answers in their order.

    `pace`: time from one `ask` to the next. After a pause, questions wait only for those of the same turn of the loop.
    A slow `ask` delays no other for longer than that. `most`: questions in one `ask`. `keys`: questions that share a
    key are asked one after the other. If `ask` fails for several, each is asked alone, except after an error in
    `common`, which would meet them all.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        pace: GatherPace = NO_PAUSE,
        most: int = 100,
        keys: Callable[[Question], Collection[Hashable]] = lambda _: (),
        common: tuple[type[Exception], ...] = (StoreUnavailable,),
    ) -> None:
        self._ask, self._pace, self._most, self._keys, self._common = ask, pace, most, keys, common
        self._pending: list[_PendingQuestion[Question, Answer]] = []
        self._next: asyncio.TimerHandle | None = None
        self._asked_at = float("-inf")
        self._call_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, question: Question) -> Answer:
        """Raises what `ask` raises, and DeadlinePassed."""
        deadline.begin()
        loop = asyncio.get_running_loop()
        pending: _PendingQuestion[Question, Answer] = _PendingQuestion(question, loop.create_future())
        self._pending.append(pending)
        if len(self._pending) >= self._most:
            self._start()
        elif self._next is None:
            self._next = loop.call_at(max(loop.time(), self._asked_at + self._pace.pause_s(self._call_s)), self._start)
        return await pending.answer

    def _start(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next, self._asked_at = None, asyncio.get_running_loop().time()
        batch, self._pending = [one for one in self._pending if not one.answer.done()], []
        if batch:
            task = asyncio.create_task(self._answer_in_rounds(batch), context=Context())  # it belongs to no caller
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_in_rounds(self, batch: Sequence[_PendingQuestion[Question, Answer]]) -> None:
        while batch:
            seen: set[Hashable] = set()
            now: list[_PendingQuestion[Question, Answer]] = []
            later: list[_PendingQuestion[Question, Answer]] = []
            for one in batch:
                keys = self._keys(one.question)
                (now if seen.isdisjoint(keys) else later).append(one)
                seen.update(keys)
            await self._answer_all(now)
            batch = later

    async def _answer_all(self, batch: Sequence[_PendingQuestion[Question, Answer]]) -> None:
        begun = time.monotonic()
        try:
            answers = await self._ask([one.question for one in batch])
            self._call_s = (self._call_s + time.monotonic() - begun) / 2
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():  # the caller may have gone
                    one.answer.set_result(answer)
        except Exception as error:  # the callers get it, whatever it is
            if len(batch) == 1 or isinstance(error, self._common):
                _fail(batch, error)
            else:  # one question may be at fault
                await asyncio.gather(*(self._answer_all([one]) for one in batch))


def _fail(batch: Sequence[_PendingQuestion[Question, Answer]], error: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
