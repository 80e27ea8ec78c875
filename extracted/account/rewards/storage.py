"""The ledger's entries of rewards: one transaction over the entry and the points."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.failpoints import reach
from extracted.account.rewards.domain import MOST_POINTS, REWARD, EarnedReward, PaidReward, RewardOutcome


class RewardedPoints(Protocol):
    """Where balances are stored, in the same database."""

    async def points(self, connection: AsyncConnection, user_id: str) -> int | None:
        """None: there is no such user."""
        ...

    async def credit(self, connection: AsyncConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        ...


class SqlRewardLedger:
    """Implements the port RewardLedger. `ledger`: Account's table, whose key is (purchase or reward, kind)."""

    def __init__(
        self, database: Database, own: OwnTables, ledger: Table, points: RewardedPoints, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._ledger, self._points, self._clock = database, ledger, points, clock
        self._insert = own.insert(ledger).on_conflict_do_nothing().returning(ledger.c.purchase_id)

    async def pay(self, reward: EarnedReward) -> RewardOutcome:
        """On PostgreSQL the entry waits for a transaction that pays the same reward."""
        async with self._database.write() as connection:
            row = {"purchase_id": reward.id, "kind": REWARD, "delta": reward.amount, "at": self._clock()}
            if await connection.scalar(self._insert, row) is None:
                return RewardOutcome.PAID_BEFORE
            outcome, entry = await self._paid(connection, reward)
            await connection.execute(update(self._ledger).where(*self._of(reward)).values(entry))
            await reach("account.before_reward_commit")
        return outcome

    async def _paid(
        self, connection: AsyncConnection, reward: EarnedReward
    ) -> tuple[RewardOutcome, dict[str, int | None]]:
        """The outcome, and what is to be changed in the entry."""
        before = await self._points.points(connection, reward.user_id)
        if before is not None and before > MOST_POINTS - reward.amount:
            return RewardOutcome.TOO_MANY_POINTS, {"delta": 0, "points_after": before}
        balance = await self._points.credit(connection, reward.user_id, reward.amount)
        outcome = RewardOutcome.USER_DELETED if balance is None else RewardOutcome.PAID
        return outcome, {"points_after": balance}

    def _of(self, reward: EarnedReward) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self._ledger.c.purchase_id == reward.id, self._ledger.c.kind == REWARD

    async def rows(self, after: str | None, limit: int) -> Sequence[PaidReward]:
        """By the primary key."""
        row = self._ledger.c
        page = select(row.purchase_id, row.delta, row.points_after, row.at).where(row.kind == REWARD)
        page = page.order_by(row.purchase_id).limit(limit)
        async with self._database.look() as connection:
            found = await connection.execute(page if after is None else page.where(row.purchase_id > after))
            return [PaidReward(*one) for one in found]
