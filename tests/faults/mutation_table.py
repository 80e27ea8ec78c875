"""For each safety rule, a small patch that removes it, and the test that must then fail."""

from dataclasses import dataclass

_FAULTS = "tests/faults/purchases"
_MESSAGES = f"{_FAULTS}/messages"
_FRAMES = "tests/unit/chassis/messaging/rabbit/test_broker.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` occurs exactly once in `file`. `test`: a pytest node id; without parameters it means all of them."""

    name: str
    file: str
    old: str
    new: str
    test: str


_GATEWAYS = "tests/unit/strangler_gateway/migration/test_shared_migration.py"
_HANDLED = "        await self._holding(lambda: self._handle(delivery))\n"
_DEBIT = "_DEBIT: Final = PreparedRows(_CHANGES, lambda given: _change(given, _BALANCE + given.c.by >= 0))"
_BUY = "tests/unit/extracted/account/purchases/test_buy.py"
_REWARDS = "tests/unit/extracted/learning/rewards/test_rewards.py"
_JOINED = """\
            return None if other is None else joined(other)
        if paid"""
_PAID_AND_JOINED = """\
            await unit.credit(purchase.user_id, -purchase.price)
            return None if other is None else joined(other)
        if paid"""
_ASKED_TO_CANCEL = "            asked = await send_command(unit, purchase, found, self.timeouts, now, times.first)\n"
_REFUNDED_BY_THE_CLOCK = """\
            if found.next is PurchaseState.CANCELLING:
                reasons = {purchase.id: FailureReason.CANCELLED}
                await unit.settle(PurchaseEvent.CANCELLED, PurchaseState.REFUNDED, reasons, now)
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
        f"{_MESSAGES}/test_queues.py::test_f15_what_no_queue_takes_waits_in_the_outbox_until_one_does[real parts]",
    ),
    Mutation(
        "unconditional debit",
        "legacy_adapter/account/points.py",
        _DEBIT,
        "_DEBIT: Final = PreparedRows(_CHANGES, _change)",
        f"{_MESSAGES}/test_deliveries.py::test_f10_one_buys_much_at_once_with_points_for_one[embedded]",
    ),
    Mutation(
        "debit kept on a conflict",
        "extracted/account/purchases/service/orders.py",
        _JOINED,
        _PAID_AND_JOINED,
        f"{_BUY}::test_a_conflict_at_the_purchase_row_joins_and_debits_nothing",
    ),
    Mutation(
        "sold though nothing was debited",
        "extracted/account/purchases/storage/purchases.py",
        "if one.purchase.id in opened and one.purchase.user_id in balances]",
        "if one.purchase.id in opened]",
        f"{_BUY}::test_a_refused_request_leaves_a_rejected_purchase_and_asks_the_shop_nothing",
    ),
    Mutation(
        "refund by the clock alone",
        "extracted/account/purchases/service/saga_timeouts.py",
        _ASKED_TO_CANCEL,
        _IMPORTED + _REFUNDED_BY_THE_CLOCK,
        f"{_MESSAGES}/test_late.py::test_f09_time_is_up_while_the_reply_that_it_was_sold_is_on_its_way[embedded]",
    ),
    Mutation(
        "no decision row: decided from transactions",
        "extracted/shop/service.py",
        "            await deciding.record(command.purchase, decided)\n",
        "            if decided.outcome is decision.SaleOutcome.DECREASED:\n"
        "                await deciding.record(command.purchase, decided)\n",
        f"{_MESSAGES}/test_late.py::test_f08_a_cancel_overtakes_the_decrease_which_is_refused_when_it_comes[embedded]",
    ),
    Mutation(
        "a refusal not kept",
        "extracted/shop/service.py",
        "            await deciding.record(command.purchase, decided)\n",
        "            if decided.outcome is not decision.SaleOutcome.REFUSED:\n"
        "                await deciding.record(command.purchase, decided)\n",
        f"{_MESSAGES}/test_late.py::test_f08_a_refusal_stays_one_though_the_item_is_there_when_shop_is_asked_again"
        "[embedded]",
    ),
    Mutation(
        "no state guard on replies",
        "extracted/account/purchases/storage/statements.py",
        "update(purchases).where(one.id == given.c.id, among(one.state, counts_in(event)))",
        "update(purchases).where(one.id == given.c.id)",
        f"{_MESSAGES}/test_deliveries.py::test_f09_a_reply_to_a_settled_purchase_changes_nothing[embedded]",
    ),
    Mutation(
        "no request row",
        "extracted/account/purchases/service/orders.py",
        "        return await unit.add_requests(rows)\n",
        "        return [row.id for row in rows]\n",
        f"{_MESSAGES}/test_deliveries.py::"
        "test_f11_the_same_key_for_something_else_is_refused_for_ever_and_is_another_users_own[embedded]",
    ),
    Mutation(
        "a command waits for nobody's lock",
        "extracted/shop/storage/decisions.py",
        "self.database.prepared_write(locks, is_shared=is_shared)",
        "self.database.prepared_write(is_shared=is_shared)",
        "tests/unit/extracted/shop/storage/test_decisions.py::"
        "test_two_purchases_of_one_item_by_one_user_at_once_sell_it_once[postgresql]",
    ),
    Mutation(
        "two orders of one user in one transaction",
        "extracted/account/purchases/service/buy.py",
        "Batcher(orders.write, keys=lambda order: order.keys, common=())",
        "Batcher(orders.write, common=())",
        f"{_BUY}::test_points_for_one_buy_one_of_many_items_at_once",
    ),
    Mutation(
        "one bad message fails its neighbours",
        "chassis/batcher.py",
        "if len(batch) == 1 or isinstance(error, self._common):",
        "if True:",
        f"{_BUY}::test_decisions_of_one_moment_share_a_transaction_and_one_about_nothing_fails_alone",
    ),
    Mutation(
        "cancel asked once",
        "extracted/account/purchases/domain/saga.py",
        "    (S.CANCELLING, E.UNANSWERED): Transition(S.CANCELLING, (D.ASK_TO_CANCEL, D.ALARM)),\n",
        "",
        f"{_MESSAGES}/test_late.py::test_f08_a_lost_cancel_is_asked_again_until_shop_answers[embedded]",
    ),
    Mutation(
        "a success that is not the first is paid",
        "legacy_adapter/learning/success_marks.py",
        "return await self._marked(submission_id, fields, DocumentCondition(missing=_FIRST))",
        "return await self._marked(submission_id, fields, DocumentCondition())",
        f"{_REWARDS}::test_of_a_success_here_and_one_of_the_monolith_the_first_is_paid_by_its_side",
    ),
    Mutation(
        "ours by lastSuccess alone",
        "extracted/learning/rewards/domain.py",
        "return RewardState.EARNED if mark.reward_id == reward.id else RewardState.PAID_ELSEWHERE",
        "return RewardState.EARNED",
        f"{_REWARDS}::test_after_a_later_attempt_the_recovery_leaves_the_success_to_it",
    ),
    Mutation(
        "finished though somebody has tried since",
        "legacy_adapter/learning/success_marks.py",
        'unchanged = DocumentCondition(missing=_FIRST, texts={"lastAttempt.at": attempt_at})',
        "unchanged = DocumentCondition(missing=_FIRST)",
        f"{_REWARDS}::test_after_a_later_attempt_the_recovery_leaves_the_success_to_it",
    ),
    Mutation(
        "earned without a look at the state",
        "extracted/learning/rewards/storage/rewards.py",
        "return update(self._table).where(row.id == reward.id, self._is_intended).values(changed).returning(row.id)",
        "return update(self._table).where(row.id == reward.id).values(changed).returning(row.id)",
        f"{_REWARDS}::test_first_successes_at_once_share_one_document_and_one_reward",
    ),
    Mutation(
        "a document for each first attempt",
        "legacy_adapter/learning/submissions.py",
        "self._documents.add_once(SUBMISSIONS, _object_id(user_id, component_id), new)",
        "self._documents.add(SUBMISSIONS, new)",
        f"{_REWARDS}::test_first_successes_at_once_share_one_document_and_one_reward",
    ),
    Mutation(
        "nothing recovers a reward",
        "extracted/learning/rewards/worker.py",
        "                await self.rewards.recover()\n",
        "                await asyncio.sleep(0)\n",
        "tests/faults/rewards/test_kills.py::test_what_a_kill_leaves_is_finished_without_another_request"
        "[embedded-learning.success_marked]",
    ),
    Mutation(
        "a reward is paid as often as it comes",
        "extracted/account/rewards/storage.py",
        "            if await connection.scalar(self._insert, row) is None:\n"
        "                return RewardOutcome.PAID_BEFORE\n",
        "            await connection.scalar(self._insert, row)\n",
        "tests/unit/extracted/account/rewards/test_payments.py::"
        "test_a_reward_that_comes_often_and_at_once_is_paid_once",
    ),
    Mutation(
        "what a gateway has decided itself counts as news of another",
        "strangler_gateway/migration/replica.py",
        " if record != self._mine.get(group)}",
        "}",
        f"{_GATEWAYS}::test_a_flip_back_is_journalled_once_though_the_watch_sees_it_before_it_is_served",
    ),
    Mutation(
        "a decision is written though a rollback has come meanwhile",
        "strangler_gateway/migration/replica.py",
        "        if self._local.record(entry.unit) != found.record:\n            return False\n",
        "",
        f"{_GATEWAYS}::test_a_rollback_while_a_flip_is_judged_keeps_its_decision_out_of_the_store",
    ),
    Mutation(
        "a move that is not served stays in the store for now",
        "strangler_gateway/migration/enactment.py",
        "        await self.replica.put_back([entry.unit for entry in moves])\n",
        "",
        f"{_GATEWAYS}::test_a_move_that_cannot_be_served_is_taken_back_in_the_store_before_it_is_answered",
    ),
)
