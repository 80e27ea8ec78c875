"""Account's own copy of the messages that it takes and sends; fields that it does not know are ignored."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id
from chassis.uuid_text import canonical_uuid
from extracted.account.purchases.domain.purchase import Asked, Outcome, Purchase, Reason, command_id
from extracted.account.purchases.domain.saga import Event

REQUESTED: Final = "purchase.requested.v1"
DECREASE, CANCEL = "shop.decrease_quantity.v1", "shop.cancel_purchase.v1"
DECREASED, REFUSED, CANCELLED = "shop.quantity_decreased.v1", "shop.quantity_refused.v1", "shop.purchase_cancelled.v1"
REPLY: Final = "purchase.reply.v1"
PURCHASES_QUEUE, DECISIONS_QUEUE = "account.purchases", "account.decisions"
COMMANDS_EXCHANGE, REPLIES_EXCHANGE = "purchases.commands", "gateway.replies"

_REFUSALS: Final = frozenset({Reason.OUT_OF_STOCK, Reason.ALREADY_OWNED, Reason.USER_DELETED})


@dataclass(frozen=True, slots=True)
class Decided:
    """Shop's answer about a purchase."""

    message_id: str
    purchase_id: str
    event: Event
    reason: Reason | None = None


def asked(envelope: Envelope) -> Asked:
    """A request to buy. Raises MessageInvalid."""
    if envelope.type != REQUESTED:
        raise MessageInvalid(f"the type is {envelope.type}; wanted {REQUESTED}")
    user_id = _uuid("subject", envelope.subject)
    item_id = _text(envelope, "itemId")
    return Asked(_uuid("id", envelope.id), user_id, item_id, digest(user_id, envelope.body), envelope.traceparent)


def digest(user_id: str, body: Mapping[str, object]) -> str:
    """Of who asks for what: the same for the same content, however its JSON was written."""
    content = json.dumps([user_id, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()


def decided(envelope: Envelope) -> Decided:
    """Raises MessageInvalid."""
    read = _DECISIONS.get(envelope.type)
    if read is None:
        raise MessageInvalid(f"the type is {envelope.type}; wanted one of {', '.join(_DECISIONS)}")
    event, reason = read(envelope)
    return Decided(envelope.id, _uuid("purchaseId", _text(envelope, "purchaseId")), event, reason)


def _refusal(envelope: Envelope) -> tuple[Event, Reason]:
    reason = _text(envelope, "reason")
    if reason not in _REFUSALS:
        raise MessageInvalid(f"the reason is none of {', '.join(sorted(_REFUSALS))}")
    return Event.REFUSED, Reason(reason)


_DECISIONS: Final[Mapping[str, Callable[[Envelope], tuple[Event, Reason | None]]]] = {
    DECREASED: lambda _: (Event.DECREASED, None),
    REFUSED: _refusal,
    CANCELLED: lambda _: (Event.CANCELLED, Reason.CANCELLED),
}


def command(kind: str, purchase: Purchase, time: datetime, traceparent: str | None = None) -> Envelope:
    """The next message to Shop about a purchase: a new id each time, the purchase's id as what it is about."""
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


def reply(request: Envelope, outcome: Outcome, purchase_id: str, time: datetime) -> Envelope:
    """To the gateway that waits for it."""
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
        raise MessageInvalid(f"{name} is missing or no text")
    return value


def _uuid(name: str, text: str | None) -> str:
    if text is None or canonical_uuid(text) != text:
        raise MessageInvalid(f"{name} is missing or no UUID (36 characters, lower case)")
    return text
