"""What the shop takes as a command, and what it answers with."""

from dataclasses import replace

import pytest

from chassis.messaging.envelope import Envelope, MessageInvalid
from extracted.shop.decision import CANCELLED, DECREASED, SaleDecision, SaleOutcome, SaleRefusal
from extracted.shop.messages import ShopCommand, answer, to_command
from tests.unit.extracted.shop.commands import NOW, cancel, decrease, fresh_id, purchase


def test_a_command_names_purchase_user_and_item_in_canonical_form_whatever_else_is_in_it() -> None:
    wanted = purchase()
    later_version = decrease(wanted, itemId=wanted.item_id.upper(), colour="blue")
    assert to_command(later_version).purchase == wanted
    assert [to_command(message).is_cancel for message in (decrease(wanted), cancel(wanted))] == [False, True]


@pytest.mark.parametrize("name", ["purchaseId", "userId", "itemId"])
@pytest.mark.parametrize("value", [None, "", 7, ["x"], "no-uuid", "'; DROP TABLE stock; --"])
def test_a_field_that_is_missing_or_no_uuid_is_told_by_name_alone(name: str, value: object) -> None:
    with pytest.raises(MessageInvalid, match=rf"^shop\.decrease_quantity\.v1: {name} is missing or not a UUID$"):
        to_command(decrease(purchase(), **{name: value}))


@pytest.mark.parametrize("kind", ["shop.decrease_quantity.v2", "purchase.requested.v1", "shop.quantity_decreased.v1"])
def test_another_type_or_version_is_no_command(kind: str) -> None:
    with pytest.raises(MessageInvalid, match=kind):
        to_command(replace(decrease(purchase()), type=kind))


@pytest.mark.parametrize(
    ("decided", "kind", "more"),
    [
        (DECREASED, "shop.quantity_decreased.v1", {}),
        (CANCELLED, "shop.purchase_cancelled.v1", {}),
        *(
            (SaleDecision(SaleOutcome.REFUSED, reason), "shop.quantity_refused.v1", {"reason": word})
            for reason, word in zip(SaleRefusal, ("already_owned", "user_deleted", "out_of_stock"), strict=True)
        ),
    ],
)
def test_an_answer_tells_the_decision_and_what_it_answers(
    decided: SaleDecision, kind: str, more: dict[str, str]
) -> None:
    asked = decrease(purchase())
    of, own_id = to_command(asked), fresh_id()
    told = answer(of, decided, lambda: own_id, NOW)
    assert told == Envelope(
        own_id, kind, {"purchaseId": of.purchase.id} | more, NOW,
        subject=of.purchase.user_id, request_id=of.purchase.id, causation_id=asked.id, traceparent="00-a-b-01",
    )  # fmt: skip


def test_every_answer_is_a_message_of_its_own() -> None:
    of: ShopCommand = to_command(decrease(purchase()))
    ids = iter("ab")
    assert [answer(of, DECREASED, lambda: next(ids), NOW).id for _ in range(2)] == ["a", "b"]
