"""A first success earns its reward once: at once, after a crash between any two steps, and beside the monolith."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from chassis.database import migrations
from chassis.database.own_tables import OwnTables
from chassis.outbox.outbox import Outbox
from extracted.learning.domain import NotFound
from extracted.learning.rewards.domain import Reward, RewardState
from extracted.learning.rewards.payments import PaymentReplies
from extracted.learning.rewards.service import LEFT_AFTER, WITHDRAWN_AFTER, RewardService
from extracted.learning.rewards.storage import tables
from extracted.learning.rewards.storage.rewards import StoredRewards
from extracted.learning.storage import MIGRATIONS
from extracted.learning.submissions.domain import CodeAttempt, CodeSubmission, StoredSubmission
from legacy_adapter.learning.collections import SUBMISSIONS
from legacy_adapter.learning.submissions import LegacySubmissions
from legacy_adapter.learning.success_marks import LegacySuccessMarks
from legacy_adapter.stores import MonolithStores, opened
from tests.support.memory_broker import MemoryBroker
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE

CODE = ("PYTHON", "print(4)")


class Stopped(Exception):
    """In place of SIGKILL."""


@dataclass
class Clock:
    """Moved by hand."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now


@dataclass
class StoppingMarks(LegacySuccessMarks):
    """Stops before or after the command that marks the success."""

    documents: Any
    stops: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.documents)

    async def mark(self, submission_id: str, success: Any, reward_id: str) -> Any:
        if self.stops == "before":
            raise Stopped
        mark = await super().mark(submission_id, success, reward_id)
        if self.stops == "after":
            raise Stopped
        return mark


@dataclass
class Lab:
    """One Learning process on a real store, and the monolith's hand in the documents."""

    stores: MonolithStores
    outbox: Outbox
    stored: StoredRewards
    marks: StoppingMarks
    submissions: LegacySubmissions
    clock: Clock
    user_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def service(self) -> RewardService:
        return RewardService(self.stored, self.marks, PaymentReplies(MemoryBroker(), 0), self.clock)

    def later(self, by: timedelta) -> None:
        self.clock.now += by

    def new(self, component_id: str) -> CodeSubmission:
        return CodeSubmission(self.user_id, str(uuid4()), component_id, *CODE)

    def attempt(self) -> CodeAttempt:
        self.later(timedelta(seconds=1))
        return CodeAttempt(str(int(self.clock.now.timestamp() * 1000)), *CODE)

    async def attempted(self, component_id: str) -> StoredSubmission:
        return await self.submissions.attempted(self.user_id, component_id, self.attempt())

    async def succeeds(self, component_id: str, stored: StoredSubmission | None = None, amount: int = 30) -> None:
        stored = stored or await self.attempted(component_id)
        await self.service.earn(self.new(component_id), stored, self.attempt(), amount)

    async def monolith_succeeds(self, stored: StoredSubmission, code: str = "legacy") -> None:
        """It overwrites, whoever was first."""
        success = CodeAttempt("1", "NODE", code)
        await self.submissions.succeeded(stored.id, success)

    async def rewards(self) -> list[Reward]:
        return list(await self.stored.rows(None, 100))

    async def document(self, stored: StoredSubmission) -> Any:
        return await self.stores.documents.find_one(SUBMISSIONS, stored.id)

    async def sent(self) -> list[str]:
        """The ids of the rewards that Account is told of."""
        async with self.stores.database.read() as connection:
            return list(await connection.scalars(select(self.outbox.table.c.message_id)))


@pytest.fixture(params=EVERYWHERE)
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    where = request.param(tmp_path)
    MonolithData(where).close()
    await migrations.upgrade(where.database_url, "learning", MIGRATIONS)
    stores = opened(where.database_url, where.documents_url)
    yield opened_lab(stores)
    await stores.aclose()


def opened_lab(stores: MonolithStores) -> Lab:
    clock, own = Clock(), OwnTables("learning", stores.database.is_sqlite)
    outbox = Outbox(own, clock)
    return Lab(
        stores,
        outbox,
        StoredRewards(stores.database, own, tables.define(own), outbox, clock),
        StoppingMarks(stores.documents),
        LegacySubmissions(stores.database, stores.documents),
        clock,
    )


async def test_a_first_success_is_stored_earned_and_told_to_account_once(lab: Lab) -> None:
    stored = await lab.attempted("c")
    await lab.succeeds("c", stored)
    (reward,) = await lab.rewards()
    assert (reward.state, reward.amount, reward.user_id) == (RewardState.EARNED, 30, lab.user_id)
    assert await lab.sent() == [reward.id]
    document = await lab.document(stored)
    assert document["lastSuccess"]["data"] == {"language": CODE[0], "code": CODE[1]}
    assert document["rewardId"] == reward.id
    assert await lab.service.recover() == 0


async def test_first_successes_at_once_share_one_document_and_one_reward(lab: Lab) -> None:
    attempts = [CodeAttempt(str(number), "PYTHON", str(number)) for number in range(6)]
    stored = await asyncio.gather(*(lab.submissions.attempted(lab.user_id, "c", one) for one in attempts))
    assert len({one.id for one in stored}) == 1
    await asyncio.gather(*(lab.service.earn(lab.new("c"), *pair, 30) for pair in zip(stored, attempts, strict=True)))
    (reward,) = await lab.rewards()
    assert await lab.sent() == [reward.id]


async def test_of_a_success_here_and_one_of_the_monolith_the_first_is_paid_by_its_side(lab: Lab) -> None:
    stored = await lab.attempted("c")
    await lab.monolith_succeeds(stored)
    await lab.succeeds("c", stored)
    (reward,) = await lab.rewards()
    assert (reward.state, await lab.sent()) == (RewardState.PAID_ELSEWHERE, [])
    assert (await lab.document(stored))["lastSuccess"]["data"]["code"] == "legacy"


@pytest.mark.parametrize("stops", ["before", "after"])
async def test_what_a_crash_leaves_is_finished_once(lab: Lab, stops: str) -> None:
    stored = await lab.attempted("c")
    lab.marks.stops = stops
    with pytest.raises(Stopped):
        await lab.succeeds("c", stored)
    lab.marks.stops = ""
    assert await lab.sent() == []
    lab.later(LEFT_AFTER * 2)
    await asyncio.gather(lab.service.recover(), lab.service.recover())
    (reward,) = await lab.rewards()
    assert (reward.state, await lab.sent()) == (RewardState.EARNED, [reward.id])
    document = await lab.document(stored)
    assert document["lastSuccess"]["data"] == document["lastAttempt"]["data"]
    assert document["rewardId"] == reward.id


async def test_a_success_that_the_monolith_overwrites_before_it_was_earned_is_still_ours(lab: Lab) -> None:
    stored = await lab.attempted("c")
    lab.marks.stops = "after"
    with pytest.raises(Stopped):
        await lab.succeeds("c", stored)
    await lab.monolith_succeeds(stored)  # a second success: it pays nothing for it
    lab.later(LEFT_AFTER * 2)
    await lab.service.recover()
    (reward,) = await lab.rewards()
    assert (reward.state, await lab.sent()) == (RewardState.EARNED, [reward.id])


async def test_after_a_later_attempt_the_recovery_leaves_the_success_to_it(lab: Lab) -> None:
    """The monolith may be running that attempt, and pays when it ends."""
    stored = await lab.attempted("c")
    lab.marks.stops = "before"
    with pytest.raises(Stopped):
        await lab.succeeds("c", stored)
    lab.marks.stops = ""
    await lab.attempted("c")
    lab.later(LEFT_AFTER * 2)
    await lab.service.recover()
    assert "lastSuccess" not in await lab.document(stored)
    await lab.monolith_succeeds(stored)
    await lab.service.recover()
    (reward,) = await lab.rewards()
    assert (reward.state, await lab.sent()) == (RewardState.PAID_ELSEWHERE, [])


async def test_a_later_attempt_that_succeeds_here_takes_the_row_over(lab: Lab) -> None:
    lab.marks.stops = "before"
    with pytest.raises(Stopped):
        await lab.succeeds("c", amount=10)
    (left,) = await lab.rewards()
    lab.marks.stops = ""
    await lab.succeeds("c", amount=30)
    (reward,) = await lab.rewards()
    assert (reward.id, reward.amount, reward.state) == (left.id, 30, RewardState.EARNED)


async def test_an_intention_that_nobody_follows_up_is_withdrawn_after_ten_minutes(lab: Lab) -> None:
    lab.marks.stops = "before"
    with pytest.raises(Stopped):
        await lab.succeeds("c")
    await lab.attempted("c")
    lab.later(WITHDRAWN_AFTER / 2)
    await lab.service.recover()
    assert len(await lab.rewards()) == 1
    lab.later(WITHDRAWN_AFTER)
    await lab.service.recover()
    assert (await lab.rewards(), await lab.sent()) == ([], [])
    lab.marks.stops = ""
    await lab.succeeds("c")
    assert len(await lab.sent()) == 1


async def test_a_submission_that_is_removed_meanwhile_earns_nothing(lab: Lab) -> None:
    stored = await lab.attempted("c")
    await lab.stores.documents.remove(SUBMISSIONS, stored.id)
    with pytest.raises(NotFound):
        await lab.succeeds("c", stored)
    assert (await lab.rewards(), await lab.sent()) == ([], [])


async def test_what_cannot_be_settled_yet_does_not_keep_the_others(lab: Lab) -> None:
    for component in ("a", "b", "c"):
        lab.marks.stops = "before" if component == "b" else "after"
        with pytest.raises(Stopped):
            await lab.succeeds(component)
    await lab.attempted("b")
    lab.later(LEFT_AFTER * 2)
    assert await lab.service.recover() == 3
    states = {reward.component_id: reward.state for reward in await lab.rewards()}
    assert states == {"a": RewardState.EARNED, "b": RewardState.INTENDED, "c": RewardState.EARNED}
    (left,) = [reward for reward in await lab.rewards() if reward.component_id == "b"]
    assert await lab.stored.unsettled() == (1, left.changed_at)


async def test_the_rows_come_in_pages(lab: Lab) -> None:
    for number in range(5):
        await lab.succeeds(str(number))
    first = await lab.stored.rows(None, 3)
    rest = await lab.stored.rows(first[-1].id, 3)
    assert [*first, *rest] == sorted(await lab.rewards(), key=lambda reward: reward.id)
    async with lab.stores.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(lab.outbox.table)) == 5
