"""What Mailer's use cases need of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from extracted.mailer.domain import (
    Claimed,
    DeliveryOutcome,
    Mail,
    MailEvent,
    MailRequest,
    MailState,
    OutgoingMessage,
    Policy,
    Suppression,
    Variables,
)


class KeyUsed(Exception):
    """The key belongs to a request with another content."""


class RequestInvalid(Exception):
    """One sentence: what was seen and what was wanted; never the content."""


class MailStateConflict(Exception):
    """What an operator asks for does not count in the state that the mail is in; says so in a sentence."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Subject (one line), text and HTML of a mail."""

    subject: str
    text: str
    html: str


class TemplateCatalog(Protocol):
    """The kinds of mail, each a folder of data and templates; read once, at start."""

    def names(self) -> Sequence[str]:
        """All, sorted."""
        ...

    def checked(self, kind: str, locale: str | None, variables: Mapping[str, object]) -> tuple[str, Variables, Policy]:
        """The locale that it will be written in (fallback: `fr-CA` → `fr` → `en`), its variables, its policy.

        Raises RequestInvalid for an unknown kind, a missing, unknown or wrong variable, a locale that is none.
        """
        ...

    def rendered(self, kind: str, locale: str, variables: Variables) -> Rendered:
        """What `checked` has passed."""
        ...

    def preview(self, kind: str, locale: str | None) -> Rendered:
        """With the kind's own samples. Raises RequestInvalid for an unknown kind, a locale that is none."""
        ...


@dataclass(frozen=True, slots=True)
class MailFilter:
    """None: all. `after`: an id; the mails that were asked for before it follow, the newest first."""

    states: Sequence[MailState] | None
    kind: str | None
    recipient: str | None
    after: str | None
    limit: int


class Mails(Protocol):
    """The rows: what the API and the intake need. All raise StoreUnavailable."""

    async def add(self, wanted: Sequence[MailRequest]) -> Sequence[Mail]:
        """All or none, in one transaction; a key that is there already gives its mail. Raises KeyUsed."""
        ...

    async def find(self, mail_id: str) -> tuple[Mail, Sequence[MailEvent]] | None:
        """With its history, oldest first."""
        ...

    async def select(self, selection: MailFilter) -> Sequence[Mail]: ...

    async def counted(self) -> Mapping[MailState, int]:
        """Every state, also with 0."""
        ...

    async def oldest_due(self) -> datetime | None:
        """Since when the oldest mail that could be sent now has been waiting; None: none is."""
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
    """Addresses that nothing is sent to for a while. All raise StoreUnavailable."""

    async def listed(self, after: str, limit: int) -> Sequence[Suppression]:
        """Those that hold now, in the order of their addresses, from the first after `after`."""
        ...

    async def lift(self, recipient: str) -> bool:
        """Its bounces are forgotten, too. False: it is not suppressed."""
        ...


class Notifier(Protocol):
    """Tells senders that there is something to send; never waits, never fails."""

    def wake(self, count: int) -> None:
        """So many rows are new."""
        ...


class DeliveryQueue(Protocol):
    """The rows: what senders need. A lost claim changes nothing (returns False). All raise StoreUnavailable."""

    async def claim(self, claim: str, lease_until: datetime) -> Claimed | None:
        """The next due mail → `sending`: never tried ones first, oldest first; then those due again.

        An address that is suppressed is never claimed: its mail becomes `suppressed`.
        """
        ...

    async def sent(self, claimed: Claimed, response: str) -> bool: ...

    async def deferred(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        """The attempt counts."""
        ...

    async def returned(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        """As `deferred`, but the attempt was none: as it was before the claim."""
        ...

    async def failed(self, claimed: Claimed, reason: str, is_bounce: bool) -> bool:
        """`is_bounce`: the address is at fault; after several within a day it is suppressed for a month."""
        ...

    async def ambiguous(self, claimed: Claimed, reason: str, due_at: datetime | None) -> bool:
        """`due_at`: it is deferred until then and sent again (at-least-once); None: it waits for a human.

        Counted either way, and in the history.
        """
        ...

    async def expire(self, now: datetime, due_at: datetime) -> int:
        """`sending` whose lease has ended, as its sender died → as `ambiguous` does, by its policy; how many."""
        ...

    async def next_due(self) -> datetime | None:
        """When something can be claimed next, as far as is known; None: nothing waits."""
        ...


class Transport(Protocol):
    """The way to a provider. Never raises for what a provider does; when cancelled it closes its connection."""

    async def send(self, outgoing: OutgoingMessage) -> DeliveryOutcome:
        """Cancelled: raises NotHandedOver where that is certain."""
        ...

    async def aclose(self) -> None: ...
