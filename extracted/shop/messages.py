"""The shop's own copy of the messages it uses: Account's commands in, decisions out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid
from extracted.shop.decision import Decision, Outcome, Purchase
from extracted.shop.domain import canonical_uuid

COMMANDS: Final = "shop.commands"
"""The queue that they come from."""
DECISIONS: Final = "shop.decisions"
"""The exchange that answers go to."""
DECREASE: Final = "shop.decrease_quantity.v1"
CANCEL: Final = "shop.cancel_purchase.v1"
_ANSWERS: Final[Mapping[Outcome, str]] = {
    Outcome.DECREASED: "shop.quantity_decreased.v1",
    Outcome.REFUSED: "shop.quantity_refused.v1",
    Outcome.CANCELLED: "shop.purchase_cancelled.v1",
}


@dataclass(frozen=True, slots=True)
class Command:
    """To sell (decrease the quantity), or never to. `cause`: the message as it came."""

    purchase: Purchase
    is_cancel: bool
    cause: Envelope


def to_command(envelope: Envelope) -> Command:
    """Unknown fields are ignored. Raises MessageInvalid."""
    if envelope.type not in (DECREASE, CANCEL):
        raise MessageInvalid(f"{envelope.type} is no command of the shop's; wanted {DECREASE} or {CANCEL}")
    purchase_id, user_id, item_id = (_id(envelope, name) for name in ("purchaseId", "userId", "itemId"))
    return Command(Purchase(purchase_id, user_id, item_id), envelope.type == CANCEL, envelope)


def answer(command: Command, decision: Decision, new_id: Callable[[], str], now: datetime) -> Envelope:
    """What Account is told, however often it asks: a message of its own each time."""
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
        raise MessageInvalid(f"{envelope.type}: {name} is missing or no UUID")
    return canonical
