"""For each safety rule of a purchase, a small patch that removes it, and the test that must then fail."""

from dataclasses import dataclass

_FAULTS = "tests/faults/purchases"
_FRAMES = "tests/unit/chassis/messaging/rabbit/test_broker.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` occurs exactly once in `file`. `test`: a pytest node id; without parameters it means all of them."""

    name: str
    file: str
    old: str
    new: str
    test: str


_HANDLED = "        await self._holding(lambda: self._handle(delivery))\n"
_DEBIT = "_DEBIT: Final = PreparedStatement(_change(_OF_USER, _ENOUGH))"
_BUY = "tests/unit/extracted/account/purchases/test_buy.py"
_JOINED = """\
            if other is not None:
                return _joined(other)
        raise RuntimeError"""
_PAID_AND_JOINED = """\
            if other is not None:
                await unit.debit(purchase.user_id, purchase.price)
                return _joined(other)
        raise RuntimeError"""
_ASKED_TO_CANCEL = "            asked = await send_command(unit, purchase, found, self.timeouts, now, times.first)\n"
_REFUNDED_BY_THE_CLOCK = """\
            if found.next is PurchaseState.CANCELLING:
                await unit.settle(
                    purchase.id, PurchaseEvent.CANCELLED, PurchaseState.REFUNDED, FailureReason.CANCELLED, now
                )
                balance = await unit.credit(purchase.user_id, purchase.price)
                await unit.record(LedgerEntry(purchase.id, "refund", purchase.price, balance, now))
                return
            asked = await send_command(unit, purchase, found, self.timeouts, now, times.first)
"""
_IMPORTED = "            from extracted.account.purchases.domain.purchase import FailureReason, LedgerEntry\n"
_IMPORTED += "            from extracted.account.purchases.domain.saga import PurchaseEvent, PurchaseState\n\n"

MUTATIONS = (
    Mutation(
        "acknowledge early",
        "chassis/outbox/consumer.py",
        _HANDLED,
        _HANDLED.replace("await self._holding(", "asyncio.create_task(self._holding(").replace(")\n", "))\n"),
        f"{_FAULTS}/test_kills.py::test_the_last_one_of_an_item_is_paid_once_and_is_the_buyers_though_a_service_is_killed"
        "[embedded-f04 account, before the debit commits]",
    ),
    Mutation(
        "transient messages",
        "chassis/messaging/rabbit/message.py",
        "delivery_mode=PERSISTENT if persistent else TRANSIENT",
        "delivery_mode=TRANSIENT",
        f"{_FRAMES}::test_a_message_goes_out_persistent_and_mandatory_on_a_channel_that_confirms",
    ),
    Mutation(
        "nack for reject",
        "chassis/messaging/rabbit/acknowledgements.py",
        "self.channel.basic_reject(tag, requeue=True)",
        "self.channel.basic_nack(tag, requeue=True)",
        f"{_FRAMES}::test_what_a_handler_raises_for_is_rejected_into_the_queue_and_never_nacked",
    ),
    Mutation(
        "no mandatory",
        "chassis/messaging/rabbit/publisher.py",
        "mandatory=True",
        "mandatory=False",
        f"{_FAULTS}/test_queues.py::test_f15_what_no_queue_takes_waits_in_the_outbox_until_one_does[real parts]",
    ),
    Mutation(
        "unconditional debit",
        "legacy_adapter/account/points.py",
        _DEBIT,
        "_DEBIT: Final = PreparedStatement(_change(_OF_USER))",
        f"{_FAULTS}/test_deliveries.py::test_f10_one_buys_much_at_once_with_points_for_one[embedded]",
    ),
    Mutation(
        "debit kept on a conflict",
        "extracted/account/purchases/service/buy.py",
        _JOINED,
        _PAID_AND_JOINED,
        f"{_BUY}::test_a_conflict_at_the_purchase_row_joins_and_debits_nothing",
    ),
    Mutation(
        "sold though nothing was debited",
        "extracted/account/purchases/storage/purchases.py",
        "        if balance is not None:\n",
        "        if True:\n",
        f"{_BUY}::test_a_refused_request_leaves_a_rejected_purchase_and_asks_the_shop_nothing",
    ),
    Mutation(
        "refund by the clock alone",
        "extracted/account/purchases/service/saga_timeouts.py",
        _ASKED_TO_CANCEL,
        _IMPORTED + _REFUNDED_BY_THE_CLOCK,
        f"{_FAULTS}/test_late.py::test_f09_time_is_up_while_the_reply_that_it_was_sold_is_on_its_way[embedded]",
    ),
    Mutation(
        "no decision row: decided from transactions",
        "extracted/shop/service.py",
        "            await deciding.record(command.purchase, decided)\n",
        "            if decided.outcome is decision.SaleOutcome.DECREASED:\n"
        "                await deciding.record(command.purchase, decided)\n",
        f"{_FAULTS}/test_late.py::test_f08_a_cancel_overtakes_the_decrease_which_is_refused_when_it_comes[embedded]",
    ),
    Mutation(
        "a refusal not kept",
        "extracted/shop/service.py",
        "            await deciding.record(command.purchase, decided)\n",
        "            if decided.outcome is not decision.SaleOutcome.REFUSED:\n"
        "                await deciding.record(command.purchase, decided)\n",
        f"{_FAULTS}/test_late.py::test_f08_a_refusal_stays_one_though_the_item_is_there_when_shop_is_asked_again"
        "[embedded]",
    ),
    Mutation(
        "no state guard on replies",
        "extracted/account/purchases/storage/statements.py",
        "update(purchases).where(of_id, among(one.state, counts_in(event))).returning(purchases)",
        "update(purchases).where(of_id).returning(purchases)",
        f"{_FAULTS}/test_deliveries.py::test_f09_a_reply_to_a_settled_purchase_changes_nothing[embedded]",
    ),
    Mutation(
        "no request row",
        "extracted/account/purchases/service/buy.py",
        "        return await unit.add_request(row)\n",
        "        return row is not None\n",
        f"{_FAULTS}/test_deliveries.py::"
        "test_f11_the_same_key_for_something_else_is_refused_for_ever_and_is_another_users_own[embedded]",
    ),
    Mutation(
        "cancel asked once",
        "extracted/account/purchases/domain/saga.py",
        "    (S.CANCELLING, E.UNANSWERED): Transition(S.CANCELLING, (D.ASK_TO_CANCEL, D.ALARM)),\n",
        "",
        f"{_FAULTS}/test_late.py::test_f08_a_lost_cancel_is_asked_again_until_shop_answers[embedded]",
    ),
)
