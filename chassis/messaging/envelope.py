"""A message, and its form on the wire: AMQP 0-9-1 basic properties, and one JSON object as the body."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_BODY = 256 * 1024
"""In bytes."""
UNREADABLE = "unreadable"
"""The key of the reason why a message's properties could not be read."""
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\.v[1-9][0-9]{0,3}")

Body = Mapping[str, object]


class MessageInvalid(Exception):
    """The message breaks the format. The text says what was seen and what was wanted, never the content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """`id` is the same however often the message is sent; `type` is `name.vN`; `time` in UTC.

    `subject`: the verified user; only the gateway sets it. `request_id`: the request, the same in a whole saga.
    `causation_id`: the message that caused this one. `traceparent`: W3C Trace Context.
    `reply_to`: the routing key, in the exchange of replies, under which the sender waits for an answer.
    """

    id: str
    type: str
    body: Body
    time: datetime
    subject: str | None = None
    request_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    reply_to: str | None = None

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise MessageInvalid("the type is not of the form name.vN")


def new_id() -> str:
    """For a message whose id has no other source."""
    return str(uuid.uuid4())


def encode_body(body: Body) -> bytes:
    """Raises MessageInvalid if it is too long, or cannot be JSON (NaN, other types)."""
    try:
        data = json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise MessageInvalid(f"the body is not JSON: {type(error).__name__}") from error
    if len(data) > MAX_BODY:
        raise MessageInvalid(f"the body has {len(data)} bytes; wanted at most {MAX_BODY}")
    return data


def decode_body(data: bytes) -> dict[str, object]:
    """Raises MessageInvalid; a body is one JSON object."""
    if len(data) > MAX_BODY:
        raise MessageInvalid(f"the body has {len(data)} bytes; wanted at most {MAX_BODY}")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MessageInvalid("the body is not JSON") from error
    if not isinstance(body, dict):
        raise MessageInvalid(f"the body is a JSON {type(body).__name__}; wanted an object")
    return body


def to_record(envelope: Envelope) -> dict[str, str | None]:
    """Everything except the body, as text: for a database row or header fields."""
    return {
        "id": envelope.id,
        "type": envelope.type,
        "time": envelope.time.isoformat(),
        "subject": envelope.subject,
        "request_id": envelope.request_id,
        "causation_id": envelope.causation_id,
        "traceparent": envelope.traceparent,
        "reply_to": envelope.reply_to,
    }


def from_record(record: Mapping[str, object], data: bytes) -> Envelope:
    """The reverse of to_record and encode_body. Raises MessageInvalid."""
    if UNREADABLE in record:
        raise MessageInvalid(f"the properties cannot be read ({record[UNREADABLE]})")
    texts = {name: record.get(name) for name in _FIELDS}
    wrong = [name for name, value in texts.items() if not isinstance(value, str | None)]
    if wrong or not texts["id"] or not texts["type"]:
        raise MessageInvalid(f"the properties {wrong or ['id', 'type']} are missing or not text")
    try:
        time = datetime.fromisoformat(str(texts.pop("time")))
    except ValueError as error:
        raise MessageInvalid("the time is not in ISO 8601 format") from error
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return Envelope(body=decode_body(data), time=aware, **texts)  # type: ignore[arg-type]  # checked above


_FIELDS = ("id", "type", "time", "subject", "request_id", "causation_id", "traceparent", "reply_to")
