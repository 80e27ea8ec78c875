"""The port Decisions in memory: one transaction at a time, undone where its block fails."""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis.messaging.envelope import Envelope
from extracted.shop.decision import DECREASED, Known, Purchase, SaleDecision


@dataclass
class State:
    """`rows`: of `transactions`, (purchase or row id, user, item). `left`: by item."""

    users: set[str] = field(default_factory=set)
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, tuple[Purchase, SaleDecision]] = field(default_factory=dict)
    answers: list[Envelope] = field(default_factory=list)


class FakeDecisions:
    def __init__(self) -> None:
        self.state = State()

    @asynccontextmanager
    async def transaction(self, _purchase: Purchase) -> AsyncIterator["FakeDecisions"]:
        before = copy.deepcopy(self.state)
        try:
            yield self
        except BaseException:
            self.state = before
            raise

    async def sell(self, _purchase: Purchase, _envelope: Envelope) -> bool:
        """It has no such way."""
        return False

    async def known(self, purchase: Purchase) -> Known:
        state = self.state
        decided_for, decided = state.decisions.get(purchase.id, (None, None))
        is_owned = any(row[1:] == (purchase.user_id, purchase.item_id) for row in state.rows)
        return Known(decided_for, decided, is_owned, purchase.user_id in state.users, purchase.item_id in state.left)

    async def take(self, item_id: str) -> bool:
        if not self.state.left[item_id]:
            return False
        self.state.left[item_id] -= 1
        return True

    async def record(self, purchase: Purchase, decided: SaleDecision) -> None:
        self.state.decisions[purchase.id] = (purchase, decided)
        if decided == DECREASED:
            self.state.rows.append((purchase.id, purchase.user_id, purchase.item_id))

    async def answer(self, envelope: Envelope) -> None:
        self.state.answers.append(envelope)
