"""Converts an envelope to AMQP basic properties, and a received message to a delivery."""

from collections.abc import Mapping
from datetime import datetime

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from chassis.messaging.envelope import UNREADABLE, Envelope, MessageInvalid
from chassis.messaging.port import Delivery
from chassis.messaging.rabbit.encoded_properties import EncodedProperties
from chassis.messaging.rabbit.raw_properties import raw_properties, read

TRANSIENT, PERSISTENT = 1, 2
_SHORT = 255  # bytes of an AMQP short string
_HEADERS = ("subject", "causation_id", "traceparent")
_SHOWN = 4096  # bytes of unreadable properties


def to_properties(envelope: Envelope, *, sender: str, persistent: bool, expires_s: float | None) -> Basic.Properties:
    """AMQP's `timestamp` has whole seconds, so a header holds the exact time. Raises MessageInvalid."""
    short = {"id": envelope.id, "type": envelope.type, "request_id": envelope.request_id, "reply_to": envelope.reply_to}
    long = [name for name, text in short.items() if text is not None and len(text.encode()) > _SHORT]
    if long:
        raise MessageInvalid(f"{', '.join(long)}: longer than {_SHORT} bytes")
    texts = {"time": envelope.time.isoformat()} | {name: getattr(envelope, name) for name in _HEADERS}
    return EncodedProperties(
        message_id=envelope.id,
        message_type=envelope.type,
        correlation_id=envelope.request_id,
        reply_to=envelope.reply_to,
        timestamp=envelope.time,
        headers={name: text for name, text in texts.items() if text is not None},
        content_type="application/json",
        delivery_mode=PERSISTENT if persistent else TRANSIENT,
        expiration=None if expires_s is None else str(round(expires_s * 1000)),  # ms
        app_id=sender,
    )


def to_delivery(queue: str, message: DeliveredMessage) -> Delivery:
    """Never raises: `Delivery.envelope` raises for an invalid message."""
    properties, unreadable = _properties(message)
    headers: Mapping[str, object] = properties.headers or {}
    sent = properties.timestamp
    seen: dict[str, object] = {
        "id": properties.message_id,
        "type": properties.message_type,
        "time": headers.get("time") or (sent.isoformat() if isinstance(sent, datetime) else None),
        "request_id": properties.correlation_id,
        "reply_to": properties.reply_to,
        **{name: headers.get(name) for name in _HEADERS},
        "sender": properties.app_id,
        "exchange": message.exchange,
        "routing_key": message.routing_key,
    }
    plain = {name: _plain(value) for name, value in seen.items()} | unreadable
    return Delivery(queue, plain, message.body, _count(headers, bool(message.redelivered)), _died(headers))


def _properties(message: DeliveredMessage) -> tuple[Basic.Properties, dict[str, object]]:
    """With what an operator sees if they cannot be read: the reason, and the bytes with escapes."""
    raw = raw_properties(message)
    properties, fault = read(raw)
    return properties, {} if fault is None else {UNREADABLE: fault, "received": repr(raw[:_SHOWN]), "size": len(raw)}


def _plain(value: object) -> object:
    """A JSON scalar, or a list with the value's repr: a list is never taken for a text."""
    return value if value is None or isinstance(value, str | int | bool) else [repr(value)[:_SHORT]]


def _count(headers: Mapping[str, object], redelivered: bool) -> int:
    """Quorum queues count deliveries; other queues only say that it is not the first."""
    count = headers.get("x-delivery-count")
    return count if isinstance(count, int) else int(redelivered)


def _died(headers: Mapping[str, object]) -> str | None:
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(last, dict):
        return None
    return f"{last.get('reason')} in {last.get('queue')}"
