"""Callers of this process that wait until a purchase is settled. Other processes settle, too, so it also polls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from extracted.account.purchases.domain.purchase import Purchase

Find = Callable[[str], Awaitable[Purchase | None]]


class SettlementWaiters:
    """One per process. `poll_s`: how often it asks the store meanwhile."""

    def __init__(self, poll_s: float = 0.5) -> None:
        self._poll_s = poll_s
        self._expected: dict[str, set[asyncio.Future[Purchase]]] = {}

    def settled(self, purchase: Purchase) -> None:
        """Call it after the commit."""
        for future in self._expected.get(purchase.id, ()):
            if not future.done():
                future.set_result(purchase)

    async def outcome(self, purchase_id: str, find: Find, timeout_s: float) -> Purchase | None:
        """The settled purchase; None: time is up, or there is no such purchase."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        with self._expecting(purchase_id, loop.create_future()) as future:
            while (left := deadline - loop.time()) > 0:
                done, _ = await asyncio.wait([future], timeout=min(self._poll_s, left))
                purchase = future.result() if done else await find(purchase_id)
                if purchase is None or not purchase.is_open:
                    return purchase
        return None

    @contextmanager
    def _expecting(self, purchase_id: str, future: asyncio.Future[Purchase]) -> Iterator[asyncio.Future[Purchase]]:
        expected = self._expected.setdefault(purchase_id, set())
        expected.add(future)
        try:
            yield future
        finally:
            expected.discard(future)
            if not expected:
                self._expected.pop(purchase_id, None)
