"""Forgets expired sessions, and the monolith's rows that were made for them, on a timer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from chassis.store import StoreUnavailable

log = structlog.get_logger("account.sessions")

EVERY_S: Final = 60.0


class SessionCleaner:
    """`forget` removes some rows, and returns how many."""

    def __init__(self, forget: Callable[[], Awaitable[int]], every_s: float = EVERY_S) -> None:
        self._forget, self._every_s = forget, every_s

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                while await self._forget():
                    pass
            except StoreUnavailable as error:
                log.warning("store_unavailable", reason=str(error))
            except Exception:
                log.exception("cleaning_failed")
