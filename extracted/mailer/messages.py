"""Mailer's own copy of the messages it uses: requests for mail, and what wakes its senders."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id

REQUESTS_QUEUE: Final = "mailer.requests"
REQUESTED: Final = "mail.requested.v1"
WAKE_EXCHANGE: Final = "mailer.wakeups"
WAKE_QUEUE: Final = "mailer.senders"
WAKE: Final = "mailer.wake.v1"


@dataclass(frozen=True, slots=True)
class MailRequested:
    """A request as it came: not checked against the kinds yet. `locale` None: the sender knows none."""

    key: str
    kind: str
    recipient: str
    locale: str | None
    variables: dict[str, object]


def asked(envelope: Envelope) -> MailRequested:
    """{"kind", "recipient", "locale"?, "variables"}; its key is the message's id. Raises MessageInvalid."""
    if envelope.type != REQUESTED:
        raise MessageInvalid(f"{envelope.type} is no message for Mailer; wanted {REQUESTED}")
    kind, recipient, locale, variables = (envelope.body.get(n) for n in ("kind", "recipient", "locale", "variables"))
    if not isinstance(kind, str) or not isinstance(recipient, str) or not isinstance(variables, dict):
        raise MessageInvalid(f"{REQUESTED}: wanted kind and recipient as texts, variables as an object")
    if not isinstance(locale, str | None):
        raise MessageInvalid(f"{REQUESTED}: the locale is no text")
    return MailRequested(f"message:{envelope.id}", kind, recipient, locale, variables)


def wake(now: datetime) -> Envelope:
    """There is a new row: the one that gets it looks at once."""
    return Envelope(id=new_id(), type=WAKE, body={}, time=now)
