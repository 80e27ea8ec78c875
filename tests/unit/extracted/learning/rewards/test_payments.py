"""A request waits for Account's word that the reward is paid, and never longer than it may."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from chassis.messaging.envelope import Envelope, new_id
from extracted.account.rewards import messages as account_messages
from extracted.account.rewards.domain import EarnedReward
from extracted.learning.rewards.payments import EXCHANGE, PaymentReplies
from tests.support.memory_broker import MemoryBroker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_S = 3600.0


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    yield broker
    await broker.aclose()


async def paid(broker: MemoryBroker, key: str, reward_id: str) -> None:
    request = Envelope(reward_id, account_messages.EARNED, {}, NOW, reply_to=key)
    reply = account_messages.paid(request, EarnedReward(reward_id, "user", 30), NOW)
    await broker.publish(EXCHANGE, reply, routing_key=key)


async def test_the_word_for_this_reward_ends_the_wait(broker: MemoryBroker) -> None:
    payments, mine, others = PaymentReplies(broker, LONG_S), new_id(), new_id()
    await payments.listen()
    with payments.expected(mine) as wait:
        assert wait.reply_to is not None
        waiting = asyncio.create_task(wait.over())
        with payments.expected(others) as other:
            await paid(broker, wait.reply_to, others)
            await asyncio.wait_for(other.over(), 60)
        assert not waiting.done()
        await paid(broker, wait.reply_to, mine)
        await asyncio.wait_for(waiting, 60)


async def test_two_successes_at_once_that_share_a_reward_both_hear_of_it(broker: MemoryBroker) -> None:
    payments, shared = PaymentReplies(broker, LONG_S), new_id()
    await payments.listen()
    with payments.expected(shared) as first, payments.expected(shared) as second:
        assert first.reply_to is not None
        await paid(broker, first.reply_to, shared)
        await asyncio.wait_for(asyncio.gather(first.over(), second.over()), 60)


async def test_without_that_word_the_patience_ends_it(broker: MemoryBroker) -> None:
    payments = PaymentReplies(broker, 0.01)
    await payments.listen()
    with payments.expected(new_id()) as wait:
        await asyncio.wait_for(wait.over(), 60)
        assert not wait.paid.is_set()


async def test_nobody_waits_before_it_listens_or_without_patience(broker: MemoryBroker) -> None:
    deaf, hasty = PaymentReplies(broker, LONG_S), PaymentReplies(broker, 0)
    await hasty.listen()
    for payments in (deaf, hasty):
        with payments.expected(new_id()) as wait:
            assert wait.reply_to is None
            await asyncio.wait_for(wait.over(), 60)


async def test_a_word_that_nobody_waits_for_is_no_fault(broker: MemoryBroker) -> None:
    payments, mine = PaymentReplies(broker, LONG_S), new_id()
    await payments.listen()
    with payments.expected(mine) as wait:
        assert wait.reply_to is not None
        await paid(broker, wait.reply_to, new_id())
        await paid(broker, wait.reply_to, mine)
        await asyncio.wait_for(wait.over(), 60)
