"""A message that a consumer could not handle, as a value."""

import json
from dataclasses import dataclass
from datetime import datetime

from chassis.messaging.envelope import Envelope, MessageInvalid, from_record

MAX_BODY = 1024 * 1024
"""Bytes; of a longer body only the size is kept."""


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """`next_attempt_at` None: it waits for a human. `body` None: it was too long to keep (`size` bytes)."""

    id: str
    queue: str
    message_id: str | None
    type: str | None
    properties: str
    body: bytes | None
    size: int
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    first_at: datetime
    last_at: datetime

    def envelope(self) -> Envelope:
        """Raises MessageInvalid."""
        if self.body is None:
            raise MessageInvalid(f"the body was not kept: it has {self.size} bytes, the limit is {MAX_BODY}")
        return from_record(json.loads(self.properties), self.body)


@dataclass(frozen=True, slots=True)
class FailedMessageGroup:
    """Failed messages with the same queue, type and reason."""

    queue: str
    type: str | None
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
