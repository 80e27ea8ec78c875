"""Decisions on real storage: one transaction over the monolith's tables and the shop's own, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from chassis import failpoints
from chassis.messaging.envelope import Envelope, MessageInvalid
from examples.monolith.storage import tables as monolith
from extracted.shop.decision import DECREASED as DECISION
from extracted.shop.decision import Purchase, SaleDecision, SaleOutcome
from extracted.shop.domain import Quantity
from extracted.shop.messages import answer, to_command
from tests.unit.extracted.shop.commands import NOW, cancel, decrease, fresh_id
from tests.unit.extracted.shop.databases import BOTH
from tests.unit.extracted.shop.selling import Selling, selling

DECREASED = ("shop.quantity_decreased.v1", None)
CANCELLED = ("shop.purchase_cancelled.v1", None)
ALREADY_OWNED, USER_DELETED, OUT_OF_STOCK = (
    ("shop.quantity_refused.v1", reason) for reason in ("already_owned", "user_deleted", "out_of_stock")
)


@pytest.fixture(params=BOTH)
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Selling]:
    async with selling(request.param(tmp_path)) as running:
        yield running


def sold_rows(shop: Selling) -> list[tuple[str, str, str]]:
    return [(row["id"], row["user_id"], row["Object_id"]) for row in shop.data.rows(monolith.transactions)]


async def test_a_sale_leaves_a_decision_a_row_of_transactions_and_an_answer(shop: Selling) -> None:
    wanted = shop.buyer()
    message = decrease(wanted)
    assert await shop.asked(message) == [DECREASED]
    (row,) = shop.data.rows(monolith.transactions)
    assert (row["id"], row["user_id"], row["Object_id"], row["deleted_at"]) == (
        *(wanted.id, wanted.user_id, wanted.item_id),
        None,
    )
    assert abs((datetime.now(UTC) - row["created_at"]).total_seconds()) < 60
    assert row["created_at"] == row["updated_at"]
    (decided,) = await shop.rows(shop.tables.decisions)
    assert {name: decided[name] for name in ("purchase_id", "outcome", "reason")} == {
        "purchase_id": wanted.id,
        "outcome": "decreased",
        "reason": None,
    }
    (answer,) = await shop.put()
    assert (answer.request_id, answer.causation_id, answer.body) == (wanted.id, message.id, {"purchaseId": wanted.id})


async def test_an_unlimited_item_has_no_stock_to_count(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.asked(decrease(wanted))
    assert await shop.stock(wanted.item_id) is None


async def test_a_sale_takes_one_of_what_is_left(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(5))
    assert await shop.asked(decrease(wanted)) == [DECREASED]
    assert await shop.stock(wanted.item_id) == (5, 0, 1, 4)


async def test_none_left_is_refused_and_stays_refused(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(0))
    assert await shop.asked(decrease(wanted)) == [OUT_OF_STOCK]
    await shop.quantities.set(wanted.item_id, Quantity(9))
    assert await shop.asked(decrease(wanted), cancel(wanted)) == [OUT_OF_STOCK] * 2
    assert (await shop.stock(wanted.item_id), sold_rows(shop)) == ((0, 9, 0, 9), [])


async def test_what_the_monolith_has_sold_is_already_owned(shop: Selling) -> None:
    wanted = shop.buyer()
    shop.data.add_purchase(wanted.user_id, wanted.item_id)
    assert await shop.asked(decrease(wanted)) == [ALREADY_OWNED]
    assert len(sold_rows(shop)) == 1


async def test_what_another_purchase_has_sold_is_already_owned(shop: Selling) -> None:
    first = shop.buyer()
    second = Purchase(fresh_id(), first.user_id, first.item_id)
    assert await shop.asked(decrease(first), decrease(second)) == [DECREASED, ALREADY_OWNED]


async def test_a_removed_row_does_not_count(shop: Selling) -> None:
    wanted = shop.buyer()
    shop.data.add_purchase(wanted.user_id, wanted.item_id, deleted_at=datetime.now(UTC))
    assert await shop.asked(decrease(wanted)) == [DECREASED]


async def test_rows_of_other_users_and_items_do_not_count(shop: Selling) -> None:
    wanted, other = shop.buyer(), shop.buyer()
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
    removed, gone = shop.buyer(), shop.buyer()
    await shop.asked(decrease(removed), decrease(gone))
    shop.data.change(monolith.transactions, removed.id, deleted_at=datetime.now(UTC))
    shop.data.delete_user(gone.user_id)
    again = [decrease(removed), cancel(removed), decrease(gone), cancel(gone)]
    assert await shop.asked(*again) == [DECREASED] * 4
    left = [row[0] for row in sold_rows(shop)]
    assert removed.id in left
    assert left.count(gone.id) <= 1


async def test_a_cancel_that_overtakes_keeps_the_decrease_from_selling(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(1))
    assert await shop.asked(cancel(wanted), decrease(wanted), cancel(wanted)) == [CANCELLED] * 3
    assert (await shop.stock(wanted.item_id), sold_rows(shop)) == ((1, 0, 0, 1), [])


async def test_a_cancel_that_finds_a_sale_tells_the_sale(shop: Selling) -> None:
    wanted = shop.buyer()
    assert await shop.asked(decrease(wanted), cancel(wanted)) == [DECREASED] * 2


async def test_the_relay_is_woken_after_the_commit_by_the_answer_that_waits(shop: Selling) -> None:
    woken: list[str] = []
    shop.outbox.on_wake(woken.append)
    command = to_command(decrease(shop.buyer()))
    told = answer(command, DECISION, fresh_id, NOW)
    async with shop.sales.decisions.transaction(command.purchase) as deciding:
        await deciding.answer(told)
        assert woken == []
    assert woken == ["shop.decisions shop.quantity_decreased.v1"]


async def test_a_message_delivered_twice_is_answered_twice_and_sells_once(shop: Selling) -> None:
    wanted = shop.buyer()
    message = decrease(wanted)
    assert await shop.asked(message, message) == [DECREASED] * 2
    assert await shop.asked(decrease(wanted)) == [DECREASED]
    assert len({answer.id for answer in await shop.put()}) == 3
    assert len(sold_rows(shop)) == 1


async def test_a_command_that_belies_its_purchase_leaves_nothing(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.asked(decrease(wanted))
    forged = decrease(Purchase(wanted.id, shop.buyer().user_id, wanted.item_id))
    for _ in range(2):
        with pytest.raises(MessageInvalid, match="another user"):
            await shop.asked(forged)
    assert (len(await shop.put()), len(sold_rows(shop))) == (1, 1)


async def test_a_purchase_with_the_id_of_a_foreign_row_fails_whole(shop: Selling) -> None:
    taken = shop.data.add_purchase(shop.buyer().user_id, fresh_id())
    wanted = Purchase(taken, shop.buyer().user_id, fresh_id())
    with pytest.raises(IntegrityError):
        await shop.asked(decrease(wanted))
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
    buyers = [shop.buyer(item) for _ in range(20)]
    await shop.quantities.set(item, Quantity(3))
    messages = [decrease(buyer) for buyer in buyers]
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
    told = await shop.answers(*messages)
    assert sorted(told, key=str) == sorted([DECREASED] * 3 + [OUT_OF_STOCK] * 17, key=str)
    assert (await shop.stock(item), len(sold_rows(shop))) == ((3, 0, 3, 0), 3)


async def test_one_purchase_asked_for_often_at_once_is_decided_once(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(9))
    messages = [decrease(wanted) for _ in range(10)]
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
    assert await shop.answers(*messages) == [DECREASED] * 10
    assert (await shop.stock(wanted.item_id), len(sold_rows(shop))) == ((9, 0, 1, 8), 1)


async def test_one_message_delivered_to_many_at_once_is_decided_once(shop: Selling) -> None:
    message = decrease(shop.buyer())
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for _ in range(10)))
    assert await shop.answers(message) == [DECREASED] * 10
    assert len(sold_rows(shop)) == 1


async def test_two_purchases_of_one_item_by_one_user_at_once_sell_it_once(shop: Selling) -> None:
    first = shop.buyer()
    purchases = [first, *(Purchase(fresh_id(), first.user_id, first.item_id) for _ in range(7))]
    messages = [decrease(one) for one in purchases]
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
    told = await shop.answers(*messages)
    assert sorted(told, key=str) == sorted([DECREASED] + [ALREADY_OWNED] * 7, key=str)
    assert len(sold_rows(shop)) == 1


async def test_cancel_and_decrease_at_once_agree(shop: Selling) -> None:
    for _ in range(10):
        wanted = shop.buyer()
        messages = [decrease(wanted), cancel(wanted), decrease(wanted), cancel(wanted)]
        await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
        told = await shop.answers(*messages)
        assert told in ([DECREASED] * 4, [CANCELLED] * 4)
        assert (wanted.id in [row[0] for row in sold_rows(shop)]) == (told[0] == DECREASED)


async def test_a_user_deleted_meanwhile_fails_no_decision(shop: Selling) -> None:
    for _ in range(10):
        wanted = shop.buyer()
        message = decrease(wanted)
        deleted = asyncio.to_thread(shop.data.delete_user, wanted.user_id)
        await asyncio.gather(shop.sales.decide(to_command(message)), deleted)
        (told,) = await shop.answers(message)
        assert told in (DECREASED, USER_DELETED)


async def test_a_decision_is_never_overwritten(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.asked(cancel(wanted))
    told = answer(to_command(decrease(wanted)), DECISION, fresh_id, NOW)
    with pytest.raises(IntegrityError):
        await recorded(shop, wanted, told)
    assert sold_rows(shop) == []


async def recorded(shop: Selling, wanted: Purchase, told: Envelope) -> None:
    async with shop.sales.decisions.transaction(wanted) as deciding:
        await deciding.record(wanted, SaleDecision(SaleOutcome.DECREASED))
        await deciding.answer(told)
