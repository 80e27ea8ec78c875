"""The message that a request becomes: its ids, its trace, the user whom the gateway has verified. Pure."""

import json
import uuid
from collections.abc import Callable
from datetime import datetime

from chassis import trace_context
from chassis.messaging.envelope import Body, Envelope, encode_body
from strangler_gateway.http.fields import Pairs

_NAMESPACE = uuid.UUID("0b3a4c7e-5d0f-5c57-9d5e-3f6f0c1f2a61")
"""For ever: another one would make new messages of repeated requests."""


def message_id(subject: str, route: str, key: str | None, random_bytes: Callable[[int], bytes]) -> str:
    """The same for the same user, route and Idempotency-Key; without a key a new one."""
    if key is None:
        return str(uuid.UUID(bytes=random_bytes(16), version=4))
    return str(uuid.uuid5(_NAMESPACE, json.dumps([subject, route, key])))


def request_id(message: str, body: Body) -> str:
    """Of this message with this body: so the answer to another body under the same id is told apart."""
    content = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return str(uuid.uuid5(uuid.UUID(message), content))


def traceparent(fields: Pairs, random_bytes: Callable[[int], bytes]) -> str:
    """The request's own (W3C Trace Context), or a new one where there is none that is valid."""
    given = trace_context.traceparent([value for name, value in fields if name.lower() == b"traceparent"])
    return given or f"00-{random_bytes(16).hex()}-{random_bytes(8).hex()}-00"


def envelope(
    kind: str, body: Body, *, id: str, subject: str, time: datetime, traceparent: str, reply_to: str
) -> Envelope:
    """Raises MessageInvalid for what is too long, or no JSON."""
    encode_body(body)
    return Envelope(
        id=id,
        type=kind,
        body=body,
        time=time,
        subject=subject,
        request_id=request_id(id, body),
        traceparent=traceparent,
        reply_to=reply_to,
    )
