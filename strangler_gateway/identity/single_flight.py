"""One question at a time for each key: all who ask meanwhile get the same answer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from chassis.auth.claims import IdentityUnavailable

MAX_WAITING = 1_000
V = TypeVar("V")


class SingleFlight(Generic[V]):
    """Of a provider. `source`: whom it asks, for the error."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._asking: dict[bytes, asyncio.Task[V]] = {}

    async def ask(self, key: bytes, question: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Its answer, or that of the one that is under way. Raises what it raises, or IdentityUnavailable."""
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= MAX_WAITING:
                raise IdentityUnavailable(f"{MAX_WAITING} credentials are waiting for {self._source}")
            task = self._asking[key] = asyncio.create_task(question())
            task.add_done_callback(lambda done: self._asked(key, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise IdentityUnavailable("the provider is closing") from None
            raise

    def _asked(self, key: bytes, done: asyncio.Task[V]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # looked at, also where everybody who waited has left

    async def aclose(self) -> None:
        """Ends what is being asked."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
