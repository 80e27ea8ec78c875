"""A reward is paid once, whatever comes how often; what cannot be paid is recorded and never asked for again."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id
from extracted.account.purchases.storage.operations import SqlOperatorStore
from extracted.account.purchases.storage.purchases import TransactionContext
from extracted.account.purchases.storage.statements import build
from extracted.account.rewards import messages
from extracted.account.rewards.domain import MOST_POINTS, EarnedReward, RewardOutcome
from extracted.account.rewards.storage import SqlRewardLedger
from legacy_adapter.account.points import LegacyPoints
from legacy_adapter.account.sold_rows import LegacySoldRows
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.account.purchases.world import NOW, World, opened


@pytest.fixture(params=EVERYWHERE)
def monolith(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MonolithData]:
    data = MonolithData(request.param(tmp_path))
    yield data
    data.close()


@pytest.fixture
async def world(monolith: MonolithData) -> AsyncIterator[World]:
    async with opened(monolith) as world:
        yield world


def ledger_of(world: World) -> SqlRewardLedger:
    return SqlRewardLedger(world.database, world.tables.own, world.tables.ledger, LegacyPoints(), world.clock)


def reward(user_id: str, amount: int = 30) -> EarnedReward:
    return EarnedReward(new_id(), user_id, amount)


async def test_a_reward_that_comes_often_and_at_once_is_paid_once(world: World) -> None:
    ledger, earned = ledger_of(world), reward(world.user(points=5))
    outcomes = await asyncio.gather(*(ledger.pay(earned) for _ in range(4)))
    outcomes.append(await ledger.pay(earned))
    assert sorted(outcomes) == [RewardOutcome.PAID, *[RewardOutcome.PAID_BEFORE] * 4]
    assert world.points(earned.user_id) == 35
    (row,) = await ledger.rows(None, 10)
    assert (row.id, row.amount, row.points_after, row.at) == (earned.id, 30, 35, NOW)


async def test_two_rewards_of_a_user_at_once_are_both_paid(world: World) -> None:
    ledger, user_id = ledger_of(world), world.user(points=0)
    await asyncio.gather(*(ledger.pay(reward(user_id, amount)) for amount in (1, 20, 300)))
    assert world.points(user_id) == 321
    assert len(await ledger.rows(None, 2)) == 2


async def test_what_cannot_be_paid_is_recorded_once_and_changes_no_points(world: World) -> None:
    ledger, rich, gone = ledger_of(world), world.user(points=MOST_POINTS - 29), str(uuid.uuid4())
    for user_id, outcome in ((rich, RewardOutcome.TOO_MANY_POINTS), (gone, RewardOutcome.USER_DELETED)):
        earned = reward(user_id)
        assert await ledger.pay(earned) is outcome
        assert await ledger.pay(earned) is RewardOutcome.PAID_BEFORE
    assert world.points(rich) == MOST_POINTS - 29
    assert {(row.amount, row.points_after) for row in await ledger.rows(None, 10)} == {
        (0, MOST_POINTS - 29),
        (30, None),
    }


async def test_the_audit_of_purchases_knows_that_a_reward_belongs_to_no_purchase(world: World) -> None:
    await ledger_of(world).pay(reward(world.user()))
    context = TransactionContext(
        world.tables, build(world.tables, world.outbox.table), LegacyPoints(), world.outbox, world.clock
    )
    store = SqlOperatorStore(world.database, context, LegacySoldRows())
    async with store.read() as reader:
        assert await reader.breaches(NOW, 10) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rewardId": None},
        {"rewardId": "abc"},
        {"userId": str(uuid.uuid4()).upper()},
        {"amount": 0},
        {"amount": -1},
        {"amount": True},
        {"amount": 2.5},
        {"amount": MOST_POINTS + 1},
        {"amount": None},
    ],
)
def test_a_message_with_a_wrong_field_is_refused(wrong: dict[str, object]) -> None:
    body: dict[str, object] = {"rewardId": str(uuid.uuid4()), "userId": str(uuid.uuid4()), "amount": 30, "new": "field"}
    assert messages.earned_reward(Envelope(new_id(), messages.EARNED, body, NOW)).amount == 30
    with pytest.raises(MessageInvalid):
        messages.earned_reward(Envelope(new_id(), messages.EARNED, body | wrong, NOW))
