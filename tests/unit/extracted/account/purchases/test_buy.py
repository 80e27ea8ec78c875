"""A purchase as a conversation, without a broker: the design's sentences, each by its counterexample."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from chassis.messaging.envelope import new_id
from examples.monolith.storage.tables import transactions
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import FailureReason, Offer, RequestOutcome, UnknownPurchase
from extracted.account.purchases.domain.saga import PurchaseEvent, PurchaseState
from extracted.account.purchases.ports import OfferUnavailable, PurchaseUnitOfWork
from extracted.account.purchases.service.buy import OutboxStale
from extracted.account.purchases.service.orders import Order, RequestResult
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.account.purchases.world import World

ACCEPTED, OWNED = RequestOutcome.ACCEPTED, RequestOutcome.ALREADY_OWNED


async def test_a_purchase_from_its_request_to_its_end(world: World) -> None:
    user, item = world.user(25), world.shop.add(10)
    answered, message = await world.ask(user, item)
    assert (answered.outcome, answered.purchase_id) == (ACCEPTED, message)
    (command,) = await world.published()
    assert (command.type, command.request_id, command.causation_id) == (messages.DECREASE, message, message)
    assert command.body == {"purchaseId": message, "userId": user, "itemId": item}
    assert (await world.purchase(message)).state is PurchaseState.DEBITED
    await world.deliver(command)
    assert (await world.purchase(message)).state is PurchaseState.COMPLETED
    assert world.points(user) == 15
    (entry,) = await world.ledger()
    assert (entry.purchase_id, entry.kind, entry.delta, entry.points_after) == (message, "debit", -10, 15)
    assert world.shop.live(user, item) == message


async def test_a_refused_request_leaves_a_rejected_purchase_and_asks_the_shop_nothing(world: World) -> None:
    user, item = world.user(9), world.shop.add(10)
    _, message = await world.ask(user, item)
    purchase = await world.purchase(message)
    assert (purchase.state, purchase.reason) == (PurchaseState.REJECTED, FailureReason.INSUFFICIENT_POINTS)
    gone = world.user()
    world.monolith.delete_user(gone)
    answered, message = await world.ask(gone, world.shop.add(0))
    assert (answered.outcome, (await world.purchase(message)).reason) == (
        RequestOutcome.USER_DELETED,
        FailureReason.USER_DELETED,
    )
    assert (await world.ledger(), await world.commands()) == ([], [])
    world.monolith.add_points(user, 1)
    assert (await world.ask(user, item))[0].outcome is ACCEPTED  # a rejected one does not block


async def test_a_refusal_of_the_shop_gives_back_once_what_was_frozen_at_the_debit(world: World) -> None:
    user, item = world.user(), world.shop.add(10, stock=0)
    _, message = await world.ask(user, item)
    world.shop.items[item] = replace(world.shop.items[item], cost=1, data={"text": "other"})
    await world.deliver(*await world.published())
    purchase = await world.purchase(message)
    assert (purchase.state, purchase.reason) == (PurchaseState.REFUNDED, FailureReason.OUT_OF_STOCK)
    assert (purchase.price, purchase.item.cost, purchase.item.data) == (10, 10, {"text": "look"})
    assert (world.points(user), await world.kinds(message)) == (100, [("debit", -10), ("refund", 10)])
    assert (await world.ask(user, item))[0].outcome is ACCEPTED  # a refunded one does not block


async def test_one_request_row_a_message_is_kept_for_ever_and_answers_its_repeats(world: World) -> None:
    """Without it a repeat after a refund would buy again, and one of an unknown item might find it."""
    user, item, unknown = world.user(), world.shop.add(10, stock=0), new_id()
    first, message = await world.ask(user, item)
    joined, second = await world.ask(user, item)
    await world.deliver(*await world.published())
    missing, third = await world.ask(user, unknown)
    world.shop.items[unknown] = replace(world.shop.items[item], id=unknown)
    world.shop.stock[item] = 5
    repeats = [
        (await world.ask(user, wanted, id))[0] for wanted, id in ((item, message), (item, second), (unknown, third))
    ]
    assert [(one.outcome, one.purchase_id) for one in repeats] == [
        (ACCEPTED, message),
        (ACCEPTED, message),
        (RequestOutcome.UNKNOWN_ITEM, None),
    ]
    assert [(one.outcome, one.purchase_id) for one in (first, joined, missing)] == [
        (one.outcome, one.purchase_id) for one in repeats
    ]
    assert {row.id: row.purchase_id for row in await world.requests()} == {
        message: message,
        second: message,
        third: None,
    }
    assert (world.points(user), len(await world.purchases())) == (100, 1)


async def test_the_same_message_with_another_content_is_a_conflict_and_changes_nothing(world: World) -> None:
    user, item, other = world.user(), world.shop.add(10), world.shop.add(20)
    _, message = await world.ask(user, item)
    assert (await world.ask(user, other, message))[0].outcome is RequestOutcome.CONFLICT
    assert (await world.ask(world.user(), item, message))[0].outcome is RequestOutcome.CONFLICT
    assert (await world.ask(user, item, message))[0].outcome is ACCEPTED
    assert (world.points(user), len(await world.purchases())) == (90, 1)


async def test_an_open_purchase_is_joined_without_a_debit_whatever_the_shop_says(world: World) -> None:
    """To the shop, the item of an open purchase is bought already, or withdrawn since: so it is not even asked."""
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    world.shop.handle((await world.published())[0])  # its answer is under way
    world.shop.items.clear()
    world.shop.asked.clear()
    assert await world.call(user, item) == (await world.ask(user, item))[0] == RequestResult(ACCEPTED, message)
    assert (world.shop.asked, world.points(user), await world.commands()) == ([], 90, [])


async def test_a_conflict_at_the_purchase_row_joins_and_debits_nothing(world: World) -> None:
    """Both have looked before either wrote."""
    user, item = world.user(), world.shop.add(10)
    offer = Offer(world.shop.items[item])
    asked = [world.asked(user, item) for _ in range(2)]
    answers = [await world.service.write(Order(one, None, offer)) for one in asked]
    assert answers == [RequestResult(ACCEPTED, asked[0].id)] * 2
    assert (world.points(user), len(await world.purchases())) == (90, 1)
    rows = {row.id: (row.outcome, row.purchase_id) for row in await world.requests()}
    assert rows == {one.id: (ACCEPTED, asked[0].id) for one in asked}


async def test_many_at_once_buy_once(world: World) -> None:
    user, item = world.user(), world.shop.add(10)
    asked = await asyncio.gather(*(world.ask(user, item) for _ in range(8)))
    called = await asyncio.gather(*(world.call(user, item) for _ in range(4)))
    assert len({answered.purchase_id for answered in [*called, *(answered for answered, _ in asked)]}) == 1
    assert (world.points(user), len(await world.purchases())) == (90, 1)


async def test_points_for_one_buy_one_of_many_items_at_once(world: World) -> None:
    """The debit is conditional: nothing is read first."""
    user, items = world.user(10), [world.shop.add(10) for _ in range(6)]
    answers = await asyncio.gather(*(world.ask(user, item) for item in items))
    outcomes = sorted(answered.outcome for answered, _ in answers)
    assert outcomes == [ACCEPTED, *[RequestOutcome.INSUFFICIENT_POINTS] * 5]
    assert world.points(user) == 0


async def test_requests_of_one_moment_share_a_transaction_and_each_gets_its_own_result(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, owned, poor, user = world.shop.add(10), world.shop.add(10), world.user(9), world.user(100)
    _, joined = await world.ask(user, item)
    world.monolith.add_purchase(user, owned)
    repeated, (bought, fresh) = world.asked(user, item, joined), (world.asked(world.user(), item) for _ in range(2))
    unknown, too_dear = world.asked(world.user(), new_id()), world.asked(poor, item)
    offer, gone = Offer(world.shop.items[item]), world.asked(new_id(), item)
    orders = [
        Order(repeated, None, offer),
        *(Order(one, None, offer) for one in (fresh, too_dear, gone)),
        Order(unknown, None, None),
        Order(world.asked(user, owned), None, Offer(world.shop.items[owned], new_id())),
        Order(bought, None, offer),
        Order(world.asked(user, item), None, offer),
    ]
    opened, write = list[bool](), world.store.write

    def counted(*, is_shared: bool) -> AbstractAsyncContextManager[PurchaseUnitOfWork]:
        opened.append(is_shared)
        return write(is_shared=is_shared)

    monkeypatch.setattr(world.store, "write", counted)
    answers = await asyncio.gather(*map(world.service.write, orders))
    assert opened == [True, False, False]  # three orders are of the same user
    assert [(one.outcome, one.purchase_id) for one in answers] == [
        (ACCEPTED, joined),
        (ACCEPTED, fresh.id),
        (RequestOutcome.INSUFFICIENT_POINTS, too_dear.id),
        (RequestOutcome.USER_DELETED, gone.id),
        (RequestOutcome.UNKNOWN_ITEM, None),
        (OWNED, None),
        (ACCEPTED, bought.id),
        (ACCEPTED, joined),
    ]
    rows = {row.id: (row.outcome, row.purchase_id) for row in await world.requests()}
    assert [rows[order.wanted.id] for order in orders] == [(one.outcome, one.purchase_id) for one in answers]
    assert [world.points(one) for one in (user, poor, bought.user_id, fresh.user_id)] == [90, 9, 90, 90]
    assert {command.request_id for command in await world.commands()} == {joined, bought.id, fresh.id}
    assert {entry.purchase_id: entry.points_after for entry in await world.ledger()} == dict.fromkeys(
        (joined, bought.id, fresh.id), 90
    )


@pytest.mark.parametrize("monolith", EVERYWHERE[1:], indirect=True)  # an SQLite file has one writer at a time
async def test_a_user_whom_somebody_holds_delays_no_other(world: World) -> None:
    item, held, others = world.shop.add(10), world.user(), [world.user() for _ in range(3)]
    with psycopg.connect(world.monolith.url) as holder:
        holder.execute('SELECT 1 FROM "user" WHERE id = %s FOR UPDATE', [held])
        first = asyncio.create_task(world.ask(held, item))
        async with asyncio.timeout(25):  # less than the time that one transaction waits for a lock
            answers = await asyncio.gather(*(world.ask(user, item) for user in others))
        assert [answered.outcome for answered, _ in answers] == [ACCEPTED] * 3
        assert not first.done()
    assert (await first)[0].outcome is ACCEPTED


async def test_decisions_of_one_moment_share_a_transaction_and_one_about_nothing_fails_alone(world: World) -> None:
    items = [world.shop.add(10), world.shop.add(10, stock=0)]
    users = [world.user() for _ in range(6)]
    asked = [(await world.ask(user, items[number % 2]))[1] for number, user in enumerate(users)]
    decisions = [messages.shop_decision(world.shop.handle(command)) for command in await world.published()]
    odd = messages.ShopDecision(new_id(), new_id(), PurchaseEvent.DECREASED)
    told = await asyncio.gather(*map(world.service.settle, [odd, *decisions]), return_exceptions=True)
    assert [type(one) for one in told] == [UnknownPurchase, *[type(None)] * 6]
    states = [(await world.purchase(id)).state for id in asked]
    assert states == [PurchaseState.COMPLETED, PurchaseState.REFUNDED] * 3
    assert [world.points(user) for user in users] == [90, 100] * 3
    await asyncio.gather(*map(world.service.settle, [*decisions, *decisions]))
    assert [world.points(user) for user in users] == [90, 100] * 3


@pytest.mark.parametrize("is_ours", [True, False])
async def test_what_was_bought_here_or_through_the_monolith_is_owned_and_not_debited(
    world: World, is_ours: bool
) -> None:
    user, item, purchase_id = world.user(), world.shop.add(10), None
    if is_ours:
        _, purchase_id = await world.ask(user, item)
        await world.deliver(*await world.published())
    else:
        world.monolith.add_purchase(user, item)
    points = world.points(user)
    answered, message = await world.ask(user, item)
    repeated, _ = await world.ask(user, item, message)
    for one in (answered, repeated, await world.call(user, item)):
        assert (one.outcome, one.purchase_id) == (OWNED, purchase_id)
    assert (world.points(user), len(await world.purchases())) == (points, int(is_ours))


async def test_a_completed_purchase_whose_row_was_removed_is_revoked_and_does_not_block(world: World) -> None:
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    await world.deliver(*await world.published())
    world.monolith.delete(transactions, message)
    again, second = await world.ask(user, item)
    assert (again.outcome, again.purchase_id) == (ACCEPTED, second)
    revoked = await world.purchase(message)
    assert (revoked.state, revoked.revoked_at is not None, revoked.blocks) == (PurchaseState.COMPLETED, True, False)
    assert world.points(user) == 80


async def test_a_purchase_that_completes_while_the_shop_is_asked_is_not_revoked(world: World) -> None:
    """Shop was asked before it sold: that it had no row then tells nothing."""
    user, item = world.user(), world.shop.add(10)
    offer = Offer(world.shop.items[item])
    late = world.asked(user, item)
    _, message = await world.ask(user, item)
    await world.deliver(*await world.published())
    answered = await world.service.write(Order(late, None, offer))
    assert answered == RequestResult(OWNED, message)
    assert (await world.purchase(message)).revoked_at is None
    assert world.points(user) == 90


async def test_a_row_that_came_between_is_not_paid_for(world: World) -> None:
    """The monolith sold it after we had looked: Shop refuses, and the points go back."""
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    world.monolith.add_purchase(user, item)
    await world.deliver(*await world.published())
    assert (await world.purchase(message)).reason is FailureReason.ALREADY_OWNED
    assert world.points(user) == 100


async def test_a_reply_counts_once_and_never_in_a_terminal_state(world: World) -> None:
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    (command,) = await world.published()
    sold = world.shop.handle(command)
    refused = replace(sold, id=new_id(), type=messages.REFUSED, body={"purchaseId": message, "reason": "out_of_stock"})
    for reply in (sold, sold, replace(sold, id=new_id()), refused, replace(refused, type=messages.CANCELLED)):
        await world.settle(reply)
    assert (await world.purchase(message)).state is PurchaseState.COMPLETED
    assert (world.points(user), await world.kinds(message)) == (90, [("debit", -10)])


async def test_a_refusal_delivered_twice_at_once_refunds_once(world: World) -> None:
    user, item = world.user(), world.shop.add(10, stock=0)
    _, message = await world.ask(user, item)
    refusals = [world.shop.handle(command) for command in await world.published() * 4]
    await asyncio.gather(*(world.settle(refusal) for refusal in [*refusals, *refusals]))
    assert (world.points(user), await world.kinds(message)) == (100, [("debit", -10), ("refund", 10)])


async def test_a_reply_to_an_unknown_purchase_is_kept_for_a_human_and_can_be_handled_later(world: World) -> None:
    reply = messages.ShopDecision(new_id(), new_id(), PurchaseEvent.DECREASED)
    for _ in range(2):  # the inbox does not take it for handled
        with pytest.raises(UnknownPurchase):
            await world.service.settle(reply)


async def test_a_refund_to_a_user_who_is_gone_settles_the_purchase(world: World) -> None:
    user, item = world.user(), world.shop.add(10, stock=0)
    _, message = await world.ask(user, item)
    world.monolith.delete_user(user)
    await world.deliver(*await world.published())
    assert (await world.purchase(message)).state is PurchaseState.REFUNDED
    assert [entry.points_after for entry in await world.ledger() if entry.kind == "refund"] == [None]


COSTS = {
    "null is nothing": (None, 5, ACCEPTED, 5),
    "nothing": (0, 0, ACCEPTED, 0),
    "whole, as a double": (3.0, 5, ACCEPTED, 2),
    "the last points": (10, 10, ACCEPTED, 0),
    "one point too dear": (10, 9, RequestOutcome.INSUFFICIENT_POINTS, 9),
    "half a point": (1.5, 10, RequestOutcome.FAILED, 10),
    "half a point too dear": (10.5, 10, RequestOutcome.INSUFFICIENT_POINTS, 10),
    "too little for a double to tell": (1e-300, 10, ACCEPTED, 10),
    "huge": (1e308, 10, RequestOutcome.INSUFFICIENT_POINTS, 10),
    "more than the column holds": (2**31, 2**31 - 1, RequestOutcome.INSUFFICIENT_POINTS, 2**31 - 1),
    "all that the column holds": (2**31 - 1, 2**31 - 1, ACCEPTED, 0),
    "negative": (-5, 10, RequestOutcome.FAILED, 10),
}


@pytest.mark.parametrize(("cost", "points", "outcome", "left"), COSTS.values(), ids=COSTS)
async def test_a_cost(world: World, cost: float | None, points: int, outcome: RequestOutcome, left: int) -> None:
    user = world.user(points)
    assert (await world.ask(user, world.shop.add(cost)))[0].outcome is outcome
    assert world.points(user) == left


async def test_an_unknown_item_is_told_and_an_odd_id_is_one(world: World) -> None:
    for item in (new_id(), "abc", "a" * 1000, ""):
        assert (await world.ask(world.user(), item))[0].outcome is RequestOutcome.UNKNOWN_ITEM


async def test_a_shop_that_is_away_leaves_the_message_to_be_handled_later(world: World) -> None:
    user, item, message = world.user(), world.shop.add(10), new_id()
    world.shop.is_away = True
    with pytest.raises(OfferUnavailable):
        await world.ask(user, item, message)
    assert (await world.requests(), world.points(user)) == ([], 100)
    world.shop.is_away = False
    assert (await world.ask(user, item, message))[0].outcome is ACCEPTED


async def test_an_outbox_older_than_two_seconds_refuses_a_call_before_the_debit_and_no_message(world: World) -> None:
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    world.clock.forward(2)
    assert (await world.call(user, world.shop.add(1))).outcome is ACCEPTED
    world.clock.forward(0.1)
    with pytest.raises(OutboxStale):
        await world.call(user, world.shop.add(1))
    assert world.points(user) == 89
    assert (await world.call(user, item)).purchase_id == message  # to join costs nothing
    assert (await world.ask(user, world.shop.add(1)))[0].outcome is ACCEPTED


async def test_the_shop_is_asked_outside_of_any_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock held while another service is waited for would stop everybody."""
    user, item, opened = world.user(), world.shop.add(10), 0
    write, find = world.store.write, world.shop.find

    @asynccontextmanager
    async def counted(*, is_shared: bool) -> AsyncIterator[object]:
        nonlocal opened
        async with write(is_shared=is_shared) as unit:
            opened += 1
            yield unit
            opened -= 1

    async def asked(user_id: str, item_id: str) -> Offer | None:
        assert opened == 0
        return await find(user_id, item_id)

    monkeypatch.setattr(world.store, "write", counted, raising=False)
    monkeypatch.setattr(world.shop, "find", asked)
    assert (await world.ask(user, item))[0].outcome is ACCEPTED
    assert world.shop.asked == [(user, item)]
