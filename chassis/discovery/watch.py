"""Asks a source again and again: gives what has changed, and keeps what was known while it is away."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from chassis.discovery.port import Instance, WatchStatus

log = logging.getLogger(__name__)

MIN_INTERVAL_S: Final = 0.1
"""Between two questions: a service that changes all the time must not keep everybody busy."""
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0


class SourceAway(Exception):
    """Nobody answers, or nothing that can be used. The message says what was tried."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """`instances` in their order; None: the ones known until now stay. `problem`: why they may be out of date."""

    instances: tuple[Instance, ...] | None
    problem: str | None = None


class InstanceSource(Protocol):
    """Knows the instances of one service."""

    async def ask(self) -> SourceAnswer:
        """At once the first time; later when something may have changed, or after a while. Raises SourceAway."""
        ...


class Watch:
    """An InstanceWatch. `name`: for the log. `wall`: Unix time; `draw`: a random number from 0 to 1."""

    def __init__(
        self,
        name: str,
        source: InstanceSource,
        wall: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._name, self._source, self._wall, self._draw = name, source, wall, draw
        self._status = WatchStatus(since=wall())

    @property
    def status(self) -> WatchStatus:
        """How fresh its last instances are."""
        return self._status

    async def __aiter__(self) -> AsyncIterator[tuple[Instance, ...]]:
        loop, known, failures = asyncio.get_running_loop(), None, 0
        while True:
            begun = loop.time()
            try:
                answer = await self._source.ask()
            except Exception as error:
                if not isinstance(error, SourceAway):
                    log.exception("instances of %s", self._name)
                self._note(str(error), answered=self._status.answered)
                failures += 1
                await asyncio.sleep(delay_s(failures, self._draw()))
                continue
            failures = 0
            self._note(answer.problem, answered=True)
            if answer.instances is not None and answer.instances != known:
                known = answer.instances
                yield known
            await asyncio.sleep(max(0.0, begun + MIN_INTERVAL_S - loop.time()))

    def _note(self, problem: str | None, *, answered: bool) -> None:
        before = self._status
        if (problem is None) == (before.problem is None) and answered == before.answered:
            since = before.since
        else:
            since = self._wall()
            if problem is not None:
                log.warning("instances of %s: %s; the last known ones stay in use", self._name, problem)
            elif before.problem is not None:
                log.warning("instances of %s are known again", self._name)
        self._status = WatchStatus(answered, problem, since)


def delay_s(failures: int, drawn: float) -> float:
    """After so many failures in a row: doubles from half a second to 30, less up to a half by chance."""
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 10))
    return longest * (1 - drawn / 2)
