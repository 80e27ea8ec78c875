"""Commands as Account sends them."""

import uuid
from datetime import UTC, datetime

from chassis.messaging.envelope import Envelope
from extracted.shop.decision import Purchase
from extracted.shop.messages import CANCEL, DECREASE

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def fresh_id() -> str:
    return str(uuid.uuid4())


def purchase(user_id: str = "", item_id: str = "") -> Purchase:
    return Purchase(fresh_id(), user_id or fresh_id(), item_id or fresh_id())


def decrease(of: Purchase, **fields: object) -> Envelope:
    return _message(DECREASE, of, fields)


def cancel(of: Purchase, **fields: object) -> Envelope:
    return _message(CANCEL, of, fields)


def _message(kind: str, of: Purchase, more: dict[str, object]) -> Envelope:
    """Under an id of its own, as each ask has one."""
    body = {"purchaseId": of.id, "userId": of.user_id, "itemId": of.item_id} | more
    return Envelope(fresh_id(), kind, body, NOW, subject=of.user_id, request_id=of.id, traceparent="00-a-b-01")
