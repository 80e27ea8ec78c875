"""What Mailer's use cases need: rows, templates, a transport, wake-ups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from extracted.mailer.domain import (
    CheckedRequest,
    Claimed,
    DeliveryOutcome,
    Mail,
    MailEvent,
    MailState,
    OutgoingMessage,
    Policy,
    Suppression,
    Variables,
)


class KeyUsed(Exception):
    """The key belongs to a request with another content."""


class RequestInvalid(Exception):
    """Says in one sentence what was seen and what was wanted, without showing content."""


class MailStateConflict(Exception):
    """The mail's state does not allow what an operator asks for; the message says why."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Subject (one line), text and HTML of a mail."""

    subject: str
    text: str
    html: str


class TemplateCatalog(Protocol):
    """The kinds of mail, each a folder of templates; read once, at start."""

    def names(self) -> Sequence[str]:
        """All, sorted."""
        ...

    def checked(self, kind: str, locale: str | None, variables: Mapping[str, object]) -> tuple[str, Variables, Policy]:
        """The locale to use (fallback: `fr-CA` → `fr` → `en`), the variables, the kind's policy.

        Raises RequestInvalid for an unknown kind, a missing, unknown or wrong variable, an invalid locale.
        """
        ...

    def rendered(self, kind: str, locale: str, variables: Variables) -> Rendered:
        """Renders what `checked` has returned."""
        ...

    def preview(self, kind: str, locale: str | None) -> Rendered:
        """With the kind's samples. Raises RequestInvalid for an unknown kind or an invalid locale."""
        ...


@dataclass(frozen=True, slots=True)
class MailFilter:
    """None: all. `after`: the id of the last mail of the page before; the newest mails come first."""

    states: Sequence[MailState] | None
    kind: str | None
    recipient: str | None
    after: str | None
    limit: int


class Mails(Protocol):
    """The rows, for API and intake. All methods raise StoreUnavailable."""

    async def add(self, wanted: Sequence[CheckedRequest]) -> Sequence[Mail]:
        """Adds all or none, in one transaction; a known key gives its mail. Raises KeyUsed."""
        ...

    async def find(self, mail_id: str) -> tuple[Mail, Sequence[MailEvent]] | None:
        """With its history, oldest first."""
        ...

    async def select(self, selection: MailFilter) -> Sequence[Mail]: ...

    async def counted(self) -> Mapping[MailState, int]:
        """Includes states without mails."""
        ...

    async def oldest_due(self) -> datetime | None:
        """Since when the oldest due mail has been waiting; None: none is due."""
        ...

    async def cancel(self, mail_id: str, by: str, why: str) -> Mail | None:
        """queued, deferred → cancelled; the mail as it is afterwards, None: unknown. Raises NotNow."""
        ...

    async def retry(self, mail_id: str, by: str, why: str) -> Mail | None:
        """deferred, failed, suppressed, cancelled → queued, due now, with all attempts. Raises NotNow."""
        ...

    async def decide(self, mail_id: str, is_sent: bool, by: str, why: str) -> Mail | None:
        """ambiguous → sent, or → queued (sent again, with all attempts). Raises NotNow."""
        ...


class Suppressions(Protocol):
    """Addresses that nothing is sent to for a while. All methods raise StoreUnavailable."""

    async def listed(self, after: str, limit: int) -> Sequence[Suppression]:
        """Those in force, by address, from the first one after `after`."""
        ...

    async def lift(self, recipient: str) -> bool:
        """Forgets its bounces, too. False: it is not suppressed."""
        ...


class Notifier(Protocol):
    """Wakes senders; never waits, never fails."""

    def wake(self, count: int) -> None:
        """`count`: how many rows are new."""
        ...


class DeliveryQueue(Protocol):
    """The rows, for senders. With a lost claim, methods change nothing and return False. All raise StoreUnavailable."""

    async def claim(self, claim: str, lease_until: datetime) -> Claimed | None:
        """The next due mail → `sending`: the oldest fresh one, else the oldest retry.

        A mail to a suppressed address is not claimed; it becomes `suppressed`.
        """
        ...

    async def sent(self, claimed: Claimed, response: str) -> bool: ...

    async def deferred(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        """The attempt counts."""
        ...

    async def returned(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        """As `deferred`, but the attempt does not count: the state is the one before the claim."""
        ...

    async def failed(self, claimed: Claimed, reason: str, is_bounce: bool) -> bool:
        """`is_bounce`: the address is at fault; after several such within a day it is suppressed for a month."""
        ...

    async def ambiguous(self, claimed: Claimed, reason: str, due_at: datetime | None) -> bool:
        """`due_at`: it is deferred and sent again then (at least once); None: an operator decides.

        Both are counted, and kept in the history.
        """
        ...

    async def expire(self, now: datetime, due_at: datetime) -> int:
        """Makes mails ambiguous whose lease is over, each by its policy; returns how many."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next mail is due; None: nothing waits."""
        ...


class Transport(Protocol):
    """Sends to a provider. Never raises for what a provider does; when cancelled, it closes the connection."""

    async def send(self, outgoing: OutgoingMessage) -> DeliveryOutcome:
        """When cancelled: raises NotHandedOver where the provider certainly has no mail."""
        ...

    async def aclose(self) -> None: ...
