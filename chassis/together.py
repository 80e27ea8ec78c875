"""Combines questions that arrive close together into one. Under load each costs less; a single one does not wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.store import StoreUnavailable

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _PendingQuestion(Generic[Question, Answer]):
    question: Question
    answer: "asyncio.Future[Answer]"


class Together(Generic[Question, Answer]):
    """Make one an event loop. `ask` returns the answers in the order of the questions, and reads after all were asked.

    `gather_s`: the least time between two calls of `ask`; after a pause it only waits for the same turn of the loop.
    A slow `ask` delays no other. `most`: questions in one call.
    """

    def __init__(
        self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]], *, gather_s: float, most: int
    ) -> None:
        self._ask, self._gather_s, self._most = ask, gather_s, most
        self._waiting: list[_PendingQuestion[Question, Answer]] = []
        self._next: asyncio.TimerHandle | None = None
        self._asked_at = float("-inf")
        self._under_way: set[asyncio.Task[None]] = set()

    async def answer(self, question: Question) -> Answer:
        """Raises what `ask` raises."""
        loop = asyncio.get_running_loop()
        asked: _PendingQuestion[Question, Answer] = _PendingQuestion(question, loop.create_future())
        self._waiting.append(asked)
        if len(self._waiting) >= self._most:
            self._go()
        elif self._next is None:
            self._next = loop.call_at(max(loop.time(), self._asked_at + self._gather_s), self._go)
        return await asked.answer

    def _go(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next, self._asked_at = None, asyncio.get_running_loop().time()
        taken, self._waiting = [one for one in self._waiting if not one.answer.done()], []
        if taken:
            task = asyncio.create_task(self._answered(taken), context=Context())  # it works for none of them alone
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answered(self, taken: Sequence[_PendingQuestion[Question, Answer]]) -> None:
        try:
            answers = await self._ask([one.question for one in taken])
            for one, answer in zip(taken, answers, strict=True):
                if not one.answer.done():  # whoever asked may have left
                    one.answer.set_result(answer)
        except Exception as error:  # whatever it is, it is for who asked, in whose stead this task calls
            if len(taken) == 1 or isinstance(error, StoreUnavailable):
                _fail(taken, error)
            else:  # one of them may be at fault: the others are not to know
                await asyncio.gather(*(self._answered([one]) for one in taken))


def _fail(taken: Sequence[_PendingQuestion[Question, Answer]], error: Exception) -> None:
    for one in taken:
        if not one.answer.done():
            one.answer.set_exception(error)
