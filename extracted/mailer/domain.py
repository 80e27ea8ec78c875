"""Mails as values: what is asked for, what becomes of it, what a provider may answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Variables = Mapping[str, str]
"""What a template is filled with: name → text."""
RAW: str = "raw"
"""The kind of a mail that came in whole, by SMTP."""


class MailState(StrEnum):
    """Where a mail is. At rest: `sent`, `failed`, `ambiguous`, `suppressed`, `cancelled`."""

    QUEUED = "queued"
    SENDING = "sending"
    """Claimed by a sender; it may be at the provider already."""
    SENT = "sent"
    DEFERRED = "deferred"
    """To be tried again at `due_at`."""
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    """The provider may have it, or not: it was given all of it and did not answer. Waits for a human."""
    SUPPRESSED = "suppressed"
    """Not sent: the address has bounced too often."""
    CANCELLED = "cancelled"


class Policy(StrEnum):
    """What becomes of an ambiguous mail: it waits for a human, or is sent again."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True)
class Templated:
    """Written when it is sent. `kind` names a folder of templates; `locale` is one that the kind has."""

    kind: str
    locale: str
    variables: Variables


@dataclass(frozen=True, slots=True)
class Raw:
    """A whole message (RFC 5322) that is passed on byte for byte. `sender`: of the envelope; empty: none."""

    sender: str
    content: bytes
    message_id: str | None


MailContent = Templated | Raw


@dataclass(frozen=True, slots=True)
class MailRequest:
    """A request for one mail to one address, checked. `key`: the same for each repetition of the request."""

    key: str
    recipient: str
    content: MailContent
    policy: Policy


@dataclass(frozen=True, slots=True)
class Mail:
    """A row, as operators see it: without variables and content, which may hold secrets.

    `reason`: the last answer that was no 250, in full. `response`: the provider's 250. `ambiguities`: how often no
    answer came. `due_at`: when it is tried next.
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
    """One line of a mail's history. `by`: who, where a human did it."""

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
    """A mail that one sender has now. `claim` fences its lease: who has lost it changes nothing any more.

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

    @property
    def came_from(self) -> MailState:
        """In which it was: a first attempt that was none leaves it as fresh as before."""
        return MailState.QUEUED if self.attempt == 1 else MailState.DEFERRED


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What goes over the wire: one envelope, one recipient, a whole message with CRLF line ends."""

    mail_id: str
    sender: str
    recipient: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider said 250 to the whole message."""

    response: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider answered 4xx or 5xx to this mail. `verb`: MAIL, RCPT, DATA, or `.` for the whole message."""

    code: int
    response: str
    verb: str

    @property
    def is_final(self) -> bool:
        """5xx: trying again is no use (RFC 5321 section 4.2.1)."""
        return self.code >= 500


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The whole message may have been handed over, and no answer came: ambiguous."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nothing of the mail was handed over: no connection, greeting, TLS or AUTH; 421. No attempt is burned."""

    reason: str


DeliveryOutcome = Accepted | Rejected | Unanswered | Unreachable
