"""The messages that Account takes and sends, as its own copy. It ignores fields that it does not know."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id
from chassis.uuid_text import canonical_uuid
from extracted.account.purchases.domain.purchase import (
    FailureReason,
    Purchase,
    PurchaseRequest,
    RequestOutcome,
    command_id,
)
from extracted.account.purchases.domain.saga import PurchaseEvent

REQUESTED: Final = "purchase.requested.v1"
DECREASE, CANCEL = "shop.decrease_quantity.v1", "shop.cancel_purchase.v1"
DECREASED, REFUSED, CANCELLED = "shop.quantity_decreased.v1", "shop.quantity_refused.v1", "shop.purchase_cancelled.v1"
REPLY: Final = "purchase.reply.v1"
PURCHASES_QUEUE, DECISIONS_QUEUE = "account.purchases", "account.decisions"
COMMANDS_EXCHANGE, REPLIES_EXCHANGE = "purchases.commands", "gateway.replies"

_REFUSALS: Final = frozenset({FailureReason.OUT_OF_STOCK, FailureReason.ALREADY_OWNED, FailureReason.USER_DELETED})


@dataclass(frozen=True, slots=True)
class ShopDecision:
    """Shop's answer about a purchase."""

    message_id: str
    purchase_id: str
    event: PurchaseEvent
    reason: FailureReason | None = None


def purchase_request(envelope: Envelope) -> PurchaseRequest:
    """A request to buy. Raises MessageInvalid."""
    if envelope.type != REQUESTED:
        raise MessageInvalid(f"the type is {envelope.type}; wanted {REQUESTED}")
    user_id = _uuid("subject", envelope.subject)
    item_id = _text(envelope, "itemId")
    return PurchaseRequest(
        _uuid("id", envelope.id), user_id, item_id, digest(user_id, envelope.body), envelope.traceparent
    )


def digest(user_id: str, body: Mapping[str, object]) -> str:
    """Of user and content; it does not depend on how the JSON was written."""
    content = json.dumps([user_id, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()


def shop_decision(envelope: Envelope) -> ShopDecision:
    """Raises MessageInvalid."""
    read = _DECISIONS.get(envelope.type)
    if read is None:
        raise MessageInvalid(f"the type is {envelope.type}; wanted one of {', '.join(_DECISIONS)}")
    event, reason = read(envelope)
    return ShopDecision(envelope.id, _uuid("purchaseId", _text(envelope, "purchaseId")), event, reason)


def _refusal(envelope: Envelope) -> tuple[PurchaseEvent, FailureReason]:
    reason = _text(envelope, "reason")
    if reason not in _REFUSALS:
        raise MessageInvalid(f"the reason must be one of {', '.join(sorted(_REFUSALS))}")
    return PurchaseEvent.REFUSED, FailureReason(reason)


_DECISIONS: Final[Mapping[str, Callable[[Envelope], tuple[PurchaseEvent, FailureReason | None]]]] = {
    DECREASED: lambda _: (PurchaseEvent.DECREASED, None),
    REFUSED: _refusal,
    CANCELLED: lambda _: (PurchaseEvent.CANCELLED, FailureReason.CANCELLED),
}


def command(kind: str, purchase: Purchase, time: datetime, traceparent: str | None = None) -> Envelope:
    """The next command to Shop about a purchase, with a new id each time."""
    return Envelope(
        id=command_id(purchase.id, purchase.asks),
        type=kind,
        body={"purchaseId": purchase.id, "userId": purchase.user_id, "itemId": purchase.item_id},
        time=time,
        subject=purchase.user_id,
        request_id=purchase.id,
        causation_id=purchase.id if purchase.asks == 0 else command_id(purchase.id, purchase.asks - 1),
        traceparent=traceparent,
    )


def reply(request: Envelope, outcome: RequestOutcome, purchase_id: str, time: datetime) -> Envelope:
    """The reply to the gateway that waits for it."""
    return Envelope(
        id=new_id(),
        type=REPLY,
        body={"outcome": outcome, "purchaseId": purchase_id},
        time=time,
        subject=request.subject,
        request_id=request.request_id,
        causation_id=request.id,
        traceparent=request.traceparent,
    )


def _text(envelope: Envelope, name: str) -> str:
    value = envelope.body.get(name)
    if not isinstance(value, str):
        raise MessageInvalid(f"{name} is missing or not a text")
    return value


def _uuid(name: str, text: str | None) -> str:
    if text is None or canonical_uuid(text) != text:
        raise MessageInvalid(f"{name} is missing or not a UUID (36 characters, lower case)")
    return text
