"""The clock of a purchase: counted from the broker's confirm, asked again, cancelled by message, for ever."""

from dataclasses import replace
from datetime import timedelta

import pytest

from extracted.account.purchases import messages
from extracted.account.purchases.domain.saga import DEFAULT_TIMEOUTS, PurchaseState
from tests.unit.extracted.account.purchases.world import World

WEEK_S = 7 * 24 * 3600


async def debited(world: World) -> tuple[str, str]:
    """A user with 90 of 100 points left, and the purchase."""
    user = world.user()
    _, message = await world.ask(user, world.shop.add(10))
    return user, message


async def silent(world: World, seconds: int) -> list[str]:
    """Shop says nothing for so long; the broker confirms all. Types of what Shop is asked meanwhile."""
    asked = []
    for _ in range(seconds):
        world.clock.forward(1)
        await world.saga_timeouts.check_due()
        asked += [command.type for command in await world.published()]
    return asked


async def test_the_time_is_counted_from_the_brokers_confirm_not_from_the_debit(world: World) -> None:
    """A broker that was away for a minute is no reason to cancel."""
    _, message = await debited(world)
    for _ in range(60):
        world.clock.forward(1)
        await world.saga_timeouts.check_due()
    assert [command.type for command in await world.commands()] == [messages.DECREASE]  # not once more, no cancel
    assert (await world.purchase(message)).state is PurchaseState.DEBITED
    await world.published()
    assert await silent(world, 4) == []
    assert await silent(world, 3) == [messages.DECREASE]


async def test_no_answer_is_the_same_command_again_under_a_new_message_id(world: World) -> None:
    _, message = await debited(world)
    (first,) = await world.published()
    world.clock.forward(5)
    await world.saga_timeouts.check_due()
    (second,) = await world.commands()
    assert second == replace(first, id=second.id, causation_id=first.id, time=second.time)
    assert second.id != first.id
    assert second.request_id == message


async def test_after_thirty_seconds_the_purchase_is_cancelled_by_message(world: World) -> None:
    user, message = await debited(world)
    await world.published()
    asked = await silent(world, 31)
    assert asked == [*[messages.DECREASE] * (len(asked) - 1), messages.CANCEL]
    assert len(asked) > 3
    purchase = await world.purchase(message)
    assert (purchase.state, world.points(user)) == (PurchaseState.CANCELLING, 90)


async def test_a_cancel_is_asked_again_with_back_off_for_ever_until_the_shop_answers(world: World) -> None:
    user, message = await debited(world)
    await world.published()
    await silent(world, 31)
    gaps: list[int] = []
    since = 0
    last = None
    for _ in range(300):
        world.clock.forward(6)
        since += 6
        await world.saga_timeouts.check_due()
        for command in await world.published():
            gaps, since, last = [*gaps, since], 0, command
    assert (world.points(user), (await world.purchase(message)).state) == (
        90,
        PurchaseState.CANCELLING,
    )  # half an hour on
    assert gaps == sorted(gaps)
    assert (gaps[0] < 10, gaps[-1] >= DEFAULT_TIMEOUTS.longest.total_seconds(), len(gaps) > 7) == (True, True, True)
    assert last is not None
    await world.deliver(last)
    assert ((await world.purchase(message)).state, world.points(user)) == (PurchaseState.REFUNDED, 100)
    assert await silent(world, 60) == []


@pytest.mark.parametrize("is_sold", [True, False])
async def test_the_first_command_that_reaches_the_shop_decides(world: World, is_sold: bool) -> None:
    """A cancel after the sale only has the decision repeated; a decrease after the cancel sells nothing."""
    user, message = await debited(world)
    (decrease,) = await world.published()
    if is_sold:
        world.shop.handle(decrease)  # the answer is lost
    await silent(world, 29)
    world.clock.forward(1)
    await world.saga_timeouts.check_due()
    (cancel,) = await world.published()
    assert cancel.type == messages.CANCEL
    await world.deliver(cancel, decrease)
    wanted = (PurchaseState.COMPLETED, 90) if is_sold else (PurchaseState.REFUNDED, 100)
    purchase = await world.purchase(message)
    assert (purchase.state, world.points(user)) == wanted
    assert (world.shop.live(user, purchase.item_id) is not None) is is_sold


async def test_a_settled_purchase_is_not_looked_at(world: World) -> None:
    await debited(world)
    await world.deliver(*await world.published())
    assert await silent(world, 40) == []
    assert await world.saga_timeouts.check_due() == 0


@pytest.mark.parametrize("is_settled", [False, True])
async def test_of_two_checks_at_once_one_asks_and_none_where_it_was_settled_meanwhile(
    world: World, is_settled: bool
) -> None:
    _, message = await debited(world)
    commands = await world.published()
    world.clock.forward(5)
    purchase = await world.purchase(message)
    if is_settled:
        await world.deliver(*commands)
    for _ in range(2):
        await world.saga_timeouts._check(purchase)
    assert len(await world.commands()) == (0 if is_settled else 1)


async def test_a_confirm_that_the_outbox_has_forgotten_counts(world: World) -> None:
    """Else a purchase that waited while everything was down would wait for ever."""
    await debited(world)
    await world.published()
    world.clock.forward(WEEK_S)
    async with world.database.write() as connection:
        assert await world.outbox.prune(connection, timedelta(hours=1)) == 1
    assert messages.CANCEL in await silent(world, 3)


@pytest.mark.parametrize("is_cancelling", [False, True])
async def test_a_clock_that_was_put_back_delays_nothing(world: World, is_cancelling: bool) -> None:
    """What was confirmed in the future counts from now."""
    _, message = await debited(world)
    await world.published()
    await silent(world, 32 if is_cancelling else 1)
    world.clock.forward(-3600)
    asked = await silent(world, 40)
    assert asked[0] == (messages.CANCEL if is_cancelling else messages.DECREASE)
    assert messages.CANCEL in asked
    assert len(asked) < 12
    assert (await world.purchase(message)).state is PurchaseState.CANCELLING
