"""Compares the list with the agent, again and again, and changes what differs.

It remembers the last good list and nothing else, so the next pass repairs a crash of its own or of the agent, or a
wiped Consul.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis.consul.client import Consul
from chassis.consul.values import ConsulFailed
from chassis.registrar.entries import Entry, ListInvalid
from chassis.registrar.lists import Lists
from chassis.registrar.plan import RegistrationPlan, check, instance, planned

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegistrarPass:
    """What one pass has done. `problems`: why it may have to be done again."""

    registered: tuple[str, ...] = ()
    deregistered: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Registrar:
    """`owner` marks what it has registered; two registrars at one agent have different ones."""

    def __init__(self, consul: Consul, lists: Lists, owner: str, check_interval_s: float) -> None:
        self._consul, self._lists, self._owner, self._interval_s = consul, lists, owner, check_interval_s
        self._known: tuple[Entry, ...] | None = None

    async def once(self) -> RegistrarPass:
        """One pass. A list that cannot be read changes nothing: the last good one counts."""
        problems = []
        try:
            self._known = await self._lists()
        except ListInvalid as error:
            problems.append(str(error))
        if self._known is None:
            return RegistrarPass(problems=tuple(problems))
        return await self._enact(self._known, problems)

    async def withdraw(self) -> RegistrarPass:
        """Deregisters all that it has registered."""
        return await self._enact((), [])

    async def run(self, every_s: float, stop: asyncio.Event, alive: Path | None = None) -> None:
        """Until `stop`. What is new is logged; what stays as it is, only once. `alive` is touched after each pass."""
        told: RegistrarPass | None = None
        while not stop.is_set():
            done = await self.once()
            if done != told:
                tell(done)
            told = done
            if alive is not None:
                alive.touch()  # noqa: ASYNC240  # one system call a pass
            try:
                await asyncio.wait_for(stop.wait(), every_s)
            except TimeoutError:
                continue

    async def _enact(self, entries: Sequence[Entry], problems: list[str]) -> RegistrarPass:
        registered, deregistered = [], []
        plan = RegistrationPlan()
        try:
            plan = planned(entries, await self._consul.services(), self._owner, self._interval_s)
            for id in plan.deregister:
                await self._consul.deregister(id)
                deregistered.append(id)
            for entry in plan.register:
                await self._consul.register(
                    instance(entry, self._owner, self._interval_s), check(entry, self._interval_s)
                )
                registered.append(entry.id)
        except ConsulFailed as error:
            problems.append(str(error))
        return RegistrarPass(tuple(registered), tuple(deregistered), plan.foreign, tuple(problems))


def tell(done: RegistrarPass) -> None:
    """Writes a pass to the log."""
    for id in done.registered:
        log.info("registered %s", id)
    for id in done.deregistered:
        log.info("deregistered %s", id)
    for id in done.foreign:
        log.warning("%s is registered by somebody else; it is left alone", id)
    for problem in done.problems:
        log.error("%s", problem)
