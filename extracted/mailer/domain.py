"""Values: requests, mails, their states, and what a provider may answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Variables = Mapping[str, str]
"""Values for a template: name → text."""
RAW: str = "raw"
"""The kind of a mail that came in by SMTP as a whole message."""


class MailState(StrEnum):
    """`sent`, `failed`, `ambiguous`, `suppressed` and `cancelled` are final until an operator changes them."""

    QUEUED = "queued"
    SENDING = "sending"
    """A sender has it; the provider may have it, too."""
    SENT = "sent"
    DEFERRED = "deferred"
    """It is tried again at `due_at`."""
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    """The provider got the whole message and did not answer. An operator has to decide."""
    SUPPRESSED = "suppressed"
    """Not sent, as the address has bounced too often."""
    CANCELLED = "cancelled"


class Policy(StrEnum):
    """At most once: an ambiguous mail waits for an operator. At least once: it is sent again."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True)
class Templated:
    """Composed when it is sent. `kind`: a folder of templates; `locale`: one that the kind has."""

    kind: str
    locale: str
    variables: Variables


@dataclass(frozen=True, slots=True)
class Raw:
    """A whole message (RFC 5322), passed on byte for byte. `sender`: of the envelope; empty: none."""

    sender: str
    content: bytes
    message_id: str | None


MailContent = Templated | Raw


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A checked request for one mail to one address. `key`: the same for each repetition of the request."""

    key: str
    recipient: str
    content: MailContent
    policy: Policy


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as operators see it: without variables and content, which may hold secrets.

    `reason`: the last refusal or fault, in full. `response`: the provider's 250. `ambiguities`: how often no answer
    came. `due_at`: when it is tried next.
    """

    id: str
    key: str
    kind: str
    locale: str | None
    recipient: str
    policy: Policy
    state: MailState
    attempts: int
    ambiguities: int
    reason: str | None
    response: str | None
    created_at: datetime
    changed_at: datetime
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One line of a mail's history. `by`: the operator, if one did it."""

    at: datetime
    state: MailState
    detail: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that has bounced too often. `reason`: the last bounce, in full."""

    recipient: str
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that a sender has. `claim` is its fencing token: a sender that lost it can change nothing.

    `attempt` counts from 1. `ambiguities`: how often no answer came before.
    """

    mail_id: str
    claim: str
    attempt: int
    recipient: str
    content: MailContent
    policy: Policy
    created_at: datetime
    ambiguities: int = 0
    traceparent: str | None = None
    """Of what asked for it."""

    @property
    def came_from(self) -> MailState:
        """The state before the claim: after a first attempt that does not count, it is as fresh as before."""
        return MailState.QUEUED if self.attempt == 1 else MailState.DEFERRED


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What is handed to the provider: one envelope with one recipient, a whole message with CRLF line ends."""

    mail_id: str
    sender: str
    recipient: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider replied 250 to the whole message."""

    response: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider replied 4xx or 5xx to this mail. `verb`: MAIL, RCPT, DATA, or `.` for the whole message."""

    code: int
    response: str
    verb: str

    @property
    def is_final(self) -> bool:
        """5xx: a retry is useless (RFC 5321 section 4.2.1)."""
        return self.code >= 500


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The whole message may have been handed over, and no reply came: ambiguous."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nothing of the mail was handed over (connection, greeting, TLS, AUTH, 421). The attempt does not count."""

    reason: str


DeliveryOutcome = Accepted | Rejected | Unanswered | Unreachable
