"""Decisions on real storage: one transaction over the monolith's tables and the shop's own, on both databases."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import cycle

import pytest
from sqlalchemy.exc import IntegrityError

from chassis import failpoints
from chassis.messaging.envelope import Envelope, MessageInvalid
from examples.monolith.storage import tables as monolith
from extracted.shop.decision import DECREASED as DECISION
from extracted.shop.decision import Purchase, SaleDecision, SaleOutcome
from extracted.shop.domain import Quantity
from extracted.shop.messages import answer, to_command
from extracted.shop.ports import DecisionTransaction
from extracted.shop.service import Sales
from tests.unit.extracted.shop.commands import NOW, cancel, decrease, fresh_id
from tests.unit.extracted.shop.selling import Selling

DECREASED = ("shop.quantity_decreased.v1", None)
CANCELLED = ("shop.purchase_cancelled.v1", None)
ALREADY_OWNED, USER_DELETED, OUT_OF_STOCK = (
    ("shop.quantity_refused.v1", reason) for reason in ("already_owned", "user_deleted", "out_of_stock")
)


def sold_rows(shop: Selling) -> list[tuple[str, str, str]]:
    return [(row["id"], row["user_id"], row["Object_id"]) for row in shop.data.rows(monolith.transactions)]


async def at_once(shop: Selling, *messages: Envelope) -> list[tuple[str, object]]:
    """Half of them in another process, which shares no transaction with ours."""
    both = cycle((shop.sales, Sales(shop.sales.decisions)))
    await asyncio.gather(*(sales.decide(to_command(message)) for message, sales in zip(messages, both, strict=False)))
    return await shop.answers(*messages)


async def test_a_sale_leaves_a_decision_a_row_of_transactions_and_an_answer(shop: Selling) -> None:
    wanted = shop.buyer()
    message = decrease(wanted)
    assert await shop.asked(message) == [DECREASED]
    (row,) = shop.data.rows(monolith.transactions)
    ids = (wanted.id, wanted.user_id, wanted.item_id)
    assert (row["id"], row["user_id"], row["Object_id"], row["deleted_at"]) == (*ids, None)
    assert abs((datetime.now(UTC) - row["created_at"]).total_seconds()) < 60
    assert row["created_at"] == row["updated_at"]
    (decided,) = await shop.rows(shop.tables.decisions)
    assert [decided[name] for name in ("purchase_id", "user_id", "item_id", "outcome", "reason")] == [
        *(*ids, "decreased", None)
    ]
    (told,) = await shop.put()
    assert (told.request_id, told.causation_id, told.body) == (wanted.id, message.id, {"purchaseId": wanted.id})
    assert await shop.stock(wanted.item_id) is None


async def test_a_sale_takes_one_of_what_is_left_and_the_last_one_is_sold_once(shop: Selling) -> None:
    first = shop.buyer()
    await shop.quantities.set(first.item_id, Quantity(2))
    assert await shop.asked(decrease(first)) == [DECREASED]
    assert await shop.stock(first.item_id) == (2, 0, 1, 1)
    others = [decrease(shop.buyer(first.item_id)) for _ in range(2)]
    assert await shop.asked(*others) == [DECREASED, OUT_OF_STOCK]


async def test_none_left_is_refused_and_stays_refused(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(0))
    assert await shop.asked(decrease(wanted)) == [OUT_OF_STOCK]
    await shop.quantities.set(wanted.item_id, Quantity(9))
    assert await shop.asked(decrease(wanted), cancel(wanted)) == [OUT_OF_STOCK] * 2
    assert (await shop.stock(wanted.item_id), sold_rows(shop)) == ((0, 9, 0, 9), [])


async def test_what_another_purchase_or_the_monolith_has_sold_is_already_owned(shop: Selling) -> None:
    first, other = shop.buyer(), shop.buyer()
    await shop.quantities.set(other.item_id, Quantity(5))
    second = Purchase(fresh_id(), first.user_id, first.item_id)
    assert await shop.asked(decrease(first), decrease(second)) == [DECREASED, ALREADY_OWNED]
    shop.data.add_purchase(other.user_id, other.item_id)
    assert await shop.asked(decrease(other)) == [ALREADY_OWNED]
    assert (len(sold_rows(shop)), await shop.stock(other.item_id)) == (2, (5, 0, 0, 5))


async def test_removed_rows_and_those_of_other_users_and_items_do_not_count(shop: Selling) -> None:
    wanted, other = shop.buyer(), shop.buyer()
    shop.data.add_purchase(wanted.user_id, wanted.item_id, deleted_at=datetime.now(UTC))
    shop.data.add_purchase(other.user_id, wanted.item_id)
    shop.data.add_purchase(wanted.user_id, other.item_id)
    assert await shop.asked(decrease(wanted)) == [DECREASED]


async def test_a_user_who_is_gone_is_told_so_and_takes_nothing(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(1))
    shop.data.delete_user(wanted.user_id)
    assert await shop.asked(decrease(wanted)) == [USER_DELETED]
    assert await shop.stock(wanted.item_id) == (1, 0, 0, 1)


async def test_a_sale_stands_when_its_row_is_removed_or_its_user_deleted(shop: Selling) -> None:
    """`transactions` is output: rows are removed by users, by administrators, with their user."""
    removed, gone = shop.buyer(), shop.buyer()
    await shop.asked(decrease(removed), decrease(gone))
    shop.data.change(monolith.transactions, removed.id, deleted_at=datetime.now(UTC))
    shop.data.delete_user(gone.user_id)
    again = [decrease(removed), cancel(removed), decrease(gone), cancel(gone)]
    assert await shop.asked(*again) == [DECREASED] * 4
    left = [row[0] for row in sold_rows(shop)]
    assert removed.id in left
    assert left.count(gone.id) <= 1


@pytest.mark.parametrize(("first", "told", "left"), [(decrease, DECREASED, 8), (cancel, CANCELLED, 9)])
async def test_the_first_command_decides_and_every_later_one_repeats_it(
    shop: Selling, first: Callable[[Purchase], Envelope], told: tuple[str, object], left: int
) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(9))
    later = (decrease, cancel, cancel, decrease, decrease)
    assert await shop.asked(first(wanted), *(ask(wanted) for ask in later)) == [told] * 6
    assert await shop.stock(wanted.item_id) == (9, 0, 9 - left, left)
    assert len(sold_rows(shop)) == 9 - left


async def test_the_relay_is_woken_after_the_commit_by_the_answer_that_waits(shop: Selling) -> None:
    woken: list[str] = []
    shop.outbox.on_wake(woken.append)
    command = to_command(decrease(shop.buyer()))
    async with shop.sales.decisions.transaction([command.purchase]) as deciding:
        await deciding.answer([answer(command, DECISION, fresh_id, NOW)])
        assert woken == []
    assert woken == ["shop.decisions shop.quantity_decreased.v1"]


@pytest.mark.parametrize("ask", [decrease, cancel])
@pytest.mark.parametrize("other", ["user_id", "item_id"])
async def test_a_command_that_belies_its_purchase_leaves_nothing(
    shop: Selling, ask: Callable[[Purchase], Envelope], other: str
) -> None:
    wanted = shop.buyer()
    await shop.asked(decrease(wanted))
    stranger = shop.buyer()
    strange = {"user_id": wanted.user_id, "item_id": wanted.item_id} | {other: getattr(stranger, other)}
    with pytest.raises(MessageInvalid, match="another user or another item"):
        await shop.asked(ask(Purchase(wanted.id, **strange)))
    assert (len(await shop.put()), len(sold_rows(shop))) == (1, 1)


async def test_a_purchase_with_the_id_of_a_foreign_row_fails_whole(shop: Selling) -> None:
    taken = shop.data.add_purchase(shop.buyer().user_id, fresh_id())
    with pytest.raises(IntegrityError):
        await shop.asked(decrease(Purchase(taken, shop.buyer().user_id, fresh_id())))
    assert (await shop.rows(shop.tables.decisions), await shop.put()) == ([], [])


@pytest.mark.parametrize("point", ["shop.before_commit", "shop.decided"])
async def test_a_failure_before_the_commit_leaves_nothing_and_after_it_all(
    shop: Selling, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(3))
    message = decrease(wanted)
    monkeypatch.setattr(failpoints, "_armed", lambda: {point: ("raise", 0.0)})
    with pytest.raises(failpoints.FailpointReached):
        await shop.asked(message)
    monkeypatch.undo()
    committed = point == "shop.decided"
    assert len(await shop.put()) == len(sold_rows(shop)) == len(await shop.rows(shop.tables.decisions)) == committed
    assert (await shop.asked(message))[-1] == DECREASED
    assert (await shop.stock(wanted.item_id), len(sold_rows(shop))) == ((3, 0, 1, 2), 1)


async def test_of_many_buyers_at_once_as_many_get_one_as_there_are(shop: Selling) -> None:
    item = fresh_id()
    await shop.quantities.set(item, Quantity(3))
    told = await at_once(shop, *(decrease(shop.buyer(item)) for _ in range(20)))
    assert sorted(told, key=str) == sorted([DECREASED] * 3 + [OUT_OF_STOCK] * 17, key=str)
    assert (await shop.stock(item), len(sold_rows(shop))) == ((3, 0, 3, 0), 3)


async def test_one_purchase_or_one_message_asked_for_often_at_once_is_decided_once(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(9))
    message = decrease(wanted)
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for _ in range(5)))
    assert await at_once(shop, *(decrease(wanted) for _ in range(10))) == [DECREASED] * 10
    assert await shop.answers(message) == [DECREASED] * 5
    assert (await shop.stock(wanted.item_id), len(sold_rows(shop))) == ((9, 0, 1, 8), 1)


async def test_commands_of_one_moment_share_a_transaction_and_one_that_is_invalid_fails_alone(shop: Selling) -> None:
    known = shop.buyer()
    await shop.asked(decrease(known))
    wanted = [shop.buyer() for _ in range(4)]
    opened: list[int] = []
    shared = shop.sales.decisions.transaction

    def counted(purchases: Sequence[Purchase]) -> AbstractAsyncContextManager[DecisionTransaction]:
        opened.append(len(purchases))
        return shared(purchases)

    shop.sales.decisions.transaction = counted  # type: ignore[method-assign]
    messages = [decrease(one) for one in wanted]
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
    assert opened == [4]
    odd = decrease(Purchase(known.id, known.user_id, fresh_id()))
    others = [decrease(shop.buyer()), cancel(wanted[0])]
    told = await asyncio.gather(*(shop.sales.decide(to_command(one)) for one in (*others, odd)), return_exceptions=True)
    assert [type(one) for one in told] == [type(None), type(None), MessageInvalid]
    assert await shop.answers(*messages, *others) == [DECREASED] * 6


async def test_two_purchases_of_one_item_by_one_user_at_once_sell_it_once(shop: Selling) -> None:
    first = shop.buyer()
    purchases = [first, *(Purchase(fresh_id(), first.user_id, first.item_id) for _ in range(7))]
    told = await at_once(shop, *map(decrease, purchases))
    assert sorted(told, key=str) == sorted([DECREASED] + [ALREADY_OWNED] * 7, key=str)
    assert len(sold_rows(shop)) == 1


async def test_cancel_and_decrease_at_once_agree(shop: Selling) -> None:
    for _ in range(10):
        wanted = shop.buyer()
        told = await at_once(shop, decrease(wanted), cancel(wanted), decrease(wanted), cancel(wanted))
        assert told in ([DECREASED] * 4, [CANCELLED] * 4)
        assert (wanted.id in [row[0] for row in sold_rows(shop)]) == (told[0] == DECREASED)


async def test_a_user_deleted_meanwhile_fails_no_decision(shop: Selling) -> None:
    for _ in range(10):
        wanted = shop.buyer()
        deleted = asyncio.to_thread(shop.data.delete_user, wanted.user_id)
        (told,), _ = await asyncio.gather(at_once(shop, decrease(wanted)), deleted)
        assert told in (DECREASED, USER_DELETED)


async def test_a_decision_is_never_overwritten(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.asked(cancel(wanted))
    with pytest.raises(IntegrityError):
        await sold_again(shop, wanted)
    assert sold_rows(shop) == []


async def sold_again(shop: Selling, wanted: Purchase) -> None:
    async with shop.sales.decisions.transaction([wanted]) as deciding:
        await deciding.record(wanted, SaleDecision(SaleOutcome.DECREASED))
        await deciding.answer([answer(to_command(decrease(wanted)), DECISION, fresh_id, NOW)])
