"""The rows of rewards, and the outbox: one transaction covers both."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select, update

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.failpoints import reach
from chassis.outbox.outbox import Outbox
from extracted.learning.rewards import messages
from extracted.learning.rewards.domain import Reward, RewardState

_RENEWED = ("content_id", "submission_id", "attempt_at", "amount", "changed_at")
"""What a later attempt changes in a row that is still INTENDED."""


class StoredRewards:
    """Implements the ports RewardStore and RewardRecords. `table`: as `tables.define` makes it."""

    def __init__(
        self, database: Database, own: OwnTables, table: Table, outbox: Outbox, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._table, self._outbox, self._clock = database, table, outbox, clock
        self._is_intended: ColumnElement[bool] = table.c.state == RewardState.INTENDED.value
        added = own.insert(table)
        self._intend = added.on_conflict_do_update(
            index_elements=[table.c.user_id, table.c.component_id],
            set_={name: added.excluded[name] for name in _RENEWED},
            where=self._is_intended,
        ).returning(table)

    async def intend(self, reward: Reward) -> Reward:
        """One statement, so that two at once share the row."""
        row = self._table.c
        same = (row.user_id == reward.user_id) & (row.component_id == reward.component_id)
        async with self._database.write() as connection:
            found = (await connection.execute(self._intend, asdict(reward))).first()
            if found is None:
                found = (await connection.execute(select(self._table).where(same))).one()
        return _reward(found)

    async def earn(self, reward: Reward, reply_to: str | None = None) -> bool:
        """One conditional statement: of two at once, one finds nothing to change."""
        async with self._database.write() as connection:
            is_first = await connection.scalar(self._to(reward, RewardState.EARNED)) is not None
            if is_first:
                await self._outbox.put(connection, messages.EXCHANGE, messages.earned(reward, self._clock(), reply_to))
            await reach("learning.before_earn_commit")
        self._outbox.wake()
        return is_first

    async def paid_elsewhere(self, reward: Reward) -> None:
        """One conditional statement."""
        async with self._database.write() as connection:
            await connection.execute(self._to(reward, RewardState.PAID_ELSEWHERE))

    async def withdraw(self, reward: Reward) -> None:
        """One conditional statement."""
        row = self._table.c
        unchanged = row.id == reward.id, self._is_intended, row.attempt_at == reward.attempt_at
        async with self._database.write() as connection:
            await connection.execute(delete(self._table).where(*unchanged))

    async def intended(self, before: datetime, after: str | None, limit: int) -> Sequence[Reward]:
        """By the index of these rows."""
        row = self._table.c
        left = [self._is_intended, row.changed_at < before] + ([] if after is None else [row.id > after])
        return await self._page(limit, *left)

    async def rows(self, after: str | None, limit: int) -> Sequence[Reward]:
        """By the primary key."""
        return await self._page(limit, *([] if after is None else [self._table.c.id > after]))

    async def unsettled(self) -> tuple[int, datetime | None]:
        """By the index of these rows."""
        counted = select(func.count(), func.min(self._table.c.changed_at)).where(self._is_intended)
        async with self._database.look() as connection:
            number, oldest = (await connection.execute(counted)).one()
        return number, oldest

    async def _page(self, limit: int, *where: ColumnElement[bool]) -> Sequence[Reward]:
        page = select(self._table).where(*where).order_by(self._table.c.id).limit(limit)
        async with self._database.look() as connection:
            return [_reward(row) for row in await connection.execute(page)]

    def _to(self, reward: Reward, state: RewardState) -> Any:
        row = self._table.c
        changed = {"state": state.value, "changed_at": self._clock()}
        return update(self._table).where(row.id == reward.id, self._is_intended).values(changed).returning(row.id)


def _reward(row: Any) -> Reward:
    return Reward(**{**row._mapping, "state": RewardState(row.state)})
