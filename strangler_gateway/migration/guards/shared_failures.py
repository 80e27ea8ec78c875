"""What rule 2 counts at all gateways: who holds the lease asks every second, and judges all traffic as one.

A gateway that does not answer is left out: its numbers come with its next answer. No failure is needed from all
gateways to go back, unlike a step forward, for which a missing answer is no zero.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import cycle, islice
from typing import Any, Protocol

from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.peers import PeerAway
from strangler_gateway.evidence.ticks import Told
from strangler_gateway.migration.guards.sentinel import Forget

CALL = "failures"
TellFailures = Callable[[Forget], dict[str, Told]]
"""Forgets, and tells by movable what this gateway has counted."""
WAIT_S = 1.0
"""How long an answer is waited for: the others are judged meanwhile by nobody."""
MOST_ASKED = 16
"""Gateways that are asked in one second; of more, each is asked in its turn."""


class KnownGateways(Protocol):
    """Who acts as one with this gateway."""

    @property
    def others(self) -> list[ClusterMember]:
        """Every member but this one."""
        ...


class FailurePeers(Protocol):
    """Asks another gateway."""

    async def ask(self, member: ClusterMember, call: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Its answer. Raises PeerAway."""
        ...


class SharedFailures:
    """`own` tells what this gateway, called `name`, has counted."""

    def __init__(self, name: str, members: KnownGateways, peers: FailurePeers, own: TellFailures) -> None:
        self._name, self._members, self._peers, self._own = name, members, peers, own
        self._owed: dict[str, Forget] = {}
        """By gateway that has answered once: what it has not been told yet to forget."""
        self._turn = 0

    async def of(self, forget: Forget) -> Mapping[str, Mapping[str, Told]]:
        """By gateway that answers and movable."""
        others = self._members.others
        self._owed = {one.name: _both(self._owed[one.name], forget) for one in others if one.name in self._owed}
        asked = self._asked(others)
        answers = await asyncio.gather(*(self._ask(one, forget) for one in asked))
        told = {one.name: answer for one, answer in zip(asked, answers, strict=True) if answer is not None}
        return {self._name: self._own(forget), **told}

    def _asked(self, others: list[ClusterMember]) -> list[ClusterMember]:
        if len(others) <= MOST_ASKED:
            return others
        first, self._turn = self._turn, self._turn + MOST_ASKED
        return list(islice(cycle(others), first % len(others), first % len(others) + MOST_ASKED))

    async def _ask(self, one: ClusterMember, forget: Forget) -> Mapping[str, Told] | None:
        """One that is asked for the first time begins anew."""
        wish = self._owed.get(one.name, dict.fromkeys(forget))
        try:
            async with asyncio.timeout(WAIT_S):
                answer = await self._peers.ask(one, CALL, {"forget": wish})
        except (PeerAway, TimeoutError):
            return None
        units = answer.get("units")
        self._owed[one.name] = dict.fromkeys(forget, ())
        return units if isinstance(units, dict) else None


def _both(owed: Forget, forget: Forget) -> Forget:
    """What is owed of the movables that are still watched, and what is new."""
    return {unit: _routes(owed.get(unit, None), routes) for unit, routes in forget.items()}


def _routes(owed: Iterable[str] | None, routes: Iterable[str] | None) -> list[str] | None:
    return None if owed is None or routes is None else sorted({*owed, *routes})
