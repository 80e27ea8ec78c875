"""The shop's own copy of its messages: it receives commands from Account and sends decisions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.uuid_text import canonical_uuid
from extracted.shop.decision import Purchase, SaleDecision, SaleOutcome

COMMANDS: Final = "shop.commands"
"""The queue that the shop reads."""
DECISIONS: Final = "shop.decisions"
"""The exchange that the shop writes to."""
DECREASE: Final = "shop.decrease_quantity.v1"
CANCEL: Final = "shop.cancel_purchase.v1"
_ANSWERS: Final[Mapping[SaleOutcome, str]] = {
    SaleOutcome.DECREASED: "shop.quantity_decreased.v1",
    SaleOutcome.REFUSED: "shop.quantity_refused.v1",
    SaleOutcome.CANCELLED: "shop.purchase_cancelled.v1",
}


@dataclass(frozen=True, slots=True)
class ShopCommand:
    """Account's order to sell an item (`is_cancel`: never to sell it). `cause`: the message that carries it."""

    purchase: Purchase
    is_cancel: bool
    cause: Envelope


def to_command(envelope: Envelope) -> ShopCommand:
    """Unknown fields are ignored. Raises MessageInvalid."""
    if envelope.type not in (DECREASE, CANCEL):
        raise MessageInvalid(f"{envelope.type} is not a command of the shop; expected {DECREASE} or {CANCEL}")
    purchase_id, user_id, item_id = (_id(envelope, name) for name in ("purchaseId", "userId", "itemId"))
    return ShopCommand(Purchase(purchase_id, user_id, item_id), envelope.type == CANCEL, envelope)


def answer(command: ShopCommand, decision: SaleDecision, new_id: Callable[[], str], now: datetime) -> Envelope:
    """The answer to a command. Every answer is a new message, even to a command that was answered before."""
    body = {"purchaseId": command.purchase.id}
    return Envelope(
        id=new_id(),
        type=_ANSWERS[decision.outcome],
        body=body if decision.reason is None else body | {"reason": decision.reason.value},
        time=now,
        subject=command.cause.subject,
        request_id=command.purchase.id,
        causation_id=command.cause.id,
        traceparent=command.cause.traceparent,
    )


def _id(envelope: Envelope, name: str) -> str:
    value = envelope.body.get(name)
    canonical = canonical_uuid(value) if isinstance(value, str) else None
    if canonical is None:
        raise MessageInvalid(f"{envelope.type}: {name} is missing or not a UUID")
    return canonical
