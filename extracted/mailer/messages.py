"""Mailer's own copy of the messages it uses: requests for mails, and wake-ups for senders."""

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
    """A request as it came, not checked against the templates. `locale` None: the sender knows none."""

    key: str
    kind: str
    recipient: str
    locale: str | None
    variables: dict[str, object]


def mail_requested(envelope: Envelope) -> MailRequested:
    """Reads {"kind", "recipient", "locale"?, "variables"}; the message's id is the key. Raises MessageInvalid."""
    if envelope.type != REQUESTED:
        raise MessageInvalid(f"{envelope.type} is not a message for Mailer; expected {REQUESTED}")
    kind, recipient, locale, variables = (envelope.body.get(n) for n in ("kind", "recipient", "locale", "variables"))
    if not isinstance(kind, str) or not isinstance(recipient, str) or not isinstance(variables, dict):
        raise MessageInvalid(f"{REQUESTED}: wanted kind and recipient as texts, variables as an object")
    if not isinstance(locale, str | None):
        raise MessageInvalid(f"{REQUESTED}: the locale is not a text")
    return MailRequested(f"message:{envelope.id}", kind, recipient, locale, variables)


def wake(now: datetime) -> Envelope:
    """Tells one sender that there is a new mail."""
    return Envelope(id=new_id(), type=WAKE, body={}, time=now)
