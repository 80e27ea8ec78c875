"""The shop's part in a purchase as a conversation, without a database: the first command decides, the rest repeat."""

import itertools
from collections.abc import Callable

import pytest

from chassis.messaging.envelope import Envelope, MessageInvalid
from extracted.shop.decision import Known, Purchase, SaleRefusal, refusal, sold
from extracted.shop.messages import to_command
from extracted.shop.service import Sales
from tests.unit.extracted.shop.commands import cancel, decrease, fresh_id, purchase
from tests.unit.extracted.shop.fake_decisions import FakeDecisions

DECREASED = ("shop.quantity_decreased.v1", None)
CANCELLED = ("shop.purchase_cancelled.v1", None)
Asked = Callable[[Purchase], Envelope]


def refused(reason: str) -> tuple[str, str | None]:
    return "shop.quantity_refused.v1", reason


class Shop:
    """Sales on the fake, and what it has answered so far."""

    def __init__(self) -> None:
        self.fake = FakeDecisions()
        self.sales = Sales(self.fake)

    def buyer(self, item_id: str = "") -> Purchase:
        wanted = purchase(item_id=item_id)
        self.fake.state.users.add(wanted.user_id)
        return wanted

    async def asked(self, *messages: Envelope) -> list[tuple[str, object]]:
        before = len(self.fake.state.answers)
        for message in messages:
            await self.sales.decide(to_command(message))
        return [(answer.type, answer.body.get("reason")) for answer in self.fake.state.answers[before:]]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(("is_owned", "has_user"), list(itertools.product([False, True], repeat=2)))
def test_an_item_that_is_owned_is_refused_before_a_user_that_is_gone(is_owned: bool, has_user: bool) -> None:
    reasons = {
        (True, True): SaleRefusal.ALREADY_OWNED,
        (True, False): SaleRefusal.ALREADY_OWNED,
        (False, False): SaleRefusal.USER_DELETED,
    }
    decided = refusal(Known(None, None, is_owned, has_user, is_limited=True))
    assert (decided.reason if decided else None) == reasons.get((is_owned, has_user))


def test_what_is_left_to_take_is_sold_and_nothing_else() -> None:
    assert (sold(taken=True).reason, sold(taken=False).reason) == (None, SaleRefusal.OUT_OF_STOCK)


async def test_an_unlimited_item_is_sold(shop: Shop) -> None:
    wanted = shop.buyer()
    assert await shop.asked(decrease(wanted)) == [DECREASED]
    assert shop.fake.state.rows == [(wanted.id, wanted.user_id, wanted.item_id)]


async def test_the_last_one_is_sold_once(shop: Shop) -> None:
    one, other = shop.buyer(), shop.buyer()
    other = Purchase(other.id, other.user_id, one.item_id)
    shop.fake.state.left[one.item_id] = 1
    assert await shop.asked(decrease(one), decrease(other)) == [DECREASED, refused("out_of_stock")]
    assert shop.fake.state.left == {one.item_id: 0}


async def test_what_another_purchase_or_the_monolith_has_sold_is_not_sold_again(shop: Shop) -> None:
    wanted = shop.buyer()
    shop.fake.state.left[wanted.item_id] = 5
    shop.fake.state.rows.append((fresh_id(), wanted.user_id, wanted.item_id))
    assert await shop.asked(decrease(wanted)) == [refused("already_owned")]
    assert shop.fake.state.left[wanted.item_id] == 5


async def test_a_user_who_is_gone_gets_nothing(shop: Shop) -> None:
    assert await shop.asked(decrease(purchase())) == [refused("user_deleted")]


@pytest.mark.parametrize("later", list(itertools.product([decrease, cancel], repeat=3)))
async def test_the_first_decrease_decides_and_every_later_command_repeats_it(
    shop: Shop, later: tuple[Asked, ...]
) -> None:
    wanted = shop.buyer()
    shop.fake.state.left[wanted.item_id] = 9
    assert await shop.asked(decrease(wanted), *(ask(wanted) for ask in later)) == [DECREASED] * 4
    assert shop.fake.state.left == {wanted.item_id: 8}
    assert len(shop.fake.state.rows) == 1


@pytest.mark.parametrize("later", list(itertools.product([decrease, cancel], repeat=3)))
async def test_a_cancel_that_overtakes_leaves_a_tombstone(shop: Shop, later: tuple[Asked, ...]) -> None:
    wanted = shop.buyer()
    assert await shop.asked(cancel(wanted), *(ask(wanted) for ask in later)) == [CANCELLED] * 4
    assert shop.fake.state.rows == []


@pytest.mark.parametrize("later", list(itertools.product([decrease, cancel], repeat=2)))
async def test_a_refusal_is_kept_when_its_reason_has_gone(shop: Shop, later: tuple[Asked, ...]) -> None:
    wanted = shop.buyer()
    shop.fake.state.left[wanted.item_id] = 0
    first = await shop.asked(decrease(wanted))
    shop.fake.state.left[wanted.item_id] = 7
    assert first + await shop.asked(*(ask(wanted) for ask in later)) == [refused("out_of_stock")] * 3


async def test_a_sale_stands_when_its_row_of_transactions_is_gone(shop: Shop) -> None:
    """`transactions` is output: rows are removed by users, by administrators, with their user."""
    wanted = shop.buyer()
    await shop.asked(decrease(wanted))
    shop.fake.state.rows.clear()
    assert await shop.asked(decrease(wanted), cancel(wanted)) == [DECREASED, DECREASED]
    assert shop.fake.state.rows == []


async def test_the_same_message_again_is_answered_again_and_sells_nothing(shop: Shop) -> None:
    message = decrease(shop.buyer())
    assert await shop.asked(message, message) == [DECREASED] * 2
    assert len(shop.fake.state.rows) == 1


@pytest.mark.parametrize("ask", [decrease, cancel])
@pytest.mark.parametrize("other", ["user_id", "item_id"])
async def test_a_command_that_belies_its_purchase_is_no_command(shop: Shop, ask: Asked, other: str) -> None:
    wanted = shop.buyer()
    await shop.asked(decrease(wanted))
    strange = {"user_id": wanted.user_id, "item_id": wanted.item_id} | {other: fresh_id()}
    message = ask(Purchase(wanted.id, **strange))
    with pytest.raises(MessageInvalid, match="another user or another item"):
        await shop.asked(message)
    assert len(shop.fake.state.answers) == 1
