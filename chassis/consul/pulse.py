"""Notices that an agent is silent while queries wait for a change: they say nothing for as long as they wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from chassis.consul.values import ConsulAway

T = TypeVar("T")
EVERY_S: Final = 1.0
ANSWER_S: Final = 2.0
"""For the answer to a question that costs the agent nothing."""


class Pulse:
    """One short question a second, whatever the number of queries that wait; none while no query does.

    `is_silent` asks it; `told`: who does not answer then.
    """

    def __init__(self, is_silent: Callable[[], Awaitable[bool]], told: str) -> None:
        self._is_silent, self._told = is_silent, told
        self._waiting = 0
        self._silence: asyncio.Future[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def beside(self, query: Coroutine[Any, Any, T]) -> T:
        """What the query returns or raises. ConsulAway as soon as the agent is silent; the query is cancelled then."""
        silence = self._begun()
        self._waiting += 1
        task = asyncio.create_task(query)
        try:
            await asyncio.wait((task, silence), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ConsulAway(f"{self._told}: no answer within {ANSWER_S:g} s")
        finally:
            task.cancel()
            self._waiting -= 1

    def close(self) -> None:
        """Asks no more."""
        if self._asking is not None:
            self._asking.cancel()

    def _begun(self) -> asyncio.Future[None]:
        if self._silence is None or self._silence.done():
            self._silence = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return self._silence

    async def _ask(self) -> None:
        await asyncio.sleep(EVERY_S)
        while self._waiting:
            if await self._is_silent() and self._silence is not None and not self._silence.done():
                self._silence.set_result(None)
            await asyncio.sleep(EVERY_S)
