"""What operators do with mails and addresses: each is logged, and kept in the mail's history, with who and why."""

from dataclasses import dataclass

import structlog

from extracted.mailer.domain import Mail, State
from extracted.mailer.ports import ContentGone, Mails, Suppressions, Waking
from extracted.mailer.service import Canonical

log = structlog.get_logger("mailer.operations")


class NotNow(Exception):
    """What was asked for does not count in the state that the mail is in; says so in a sentence."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Who asks, as they say, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Operations:
    """None: there is no such mail. A change that was made before is no fault."""

    mails: Mails
    suppressions: Suppressions
    canonical: Canonical
    waking: Waking

    async def cancel(self, mail_id: str, reason: Reason) -> Mail | None:
        """Raises NotNow for one that a sender has, or that is at rest."""
        mail = await self.mails.cancel(mail_id, reason.by, reason.why)
        return _done("cancelled", mail, (State.CANCELLED,), reason)

    async def retry(self, mail_id: str, reason: Reason) -> Mail | None:
        """Raises NotNow for one that was sent, is ambiguous, or has lost its content."""
        try:
            mail = await self.mails.retry(mail_id, reason.by, reason.why)
        except ContentGone as error:
            raise NotNow(str(error)) from error
        return self._woken(_done("retried", mail, (State.QUEUED,), reason))

    async def decide(self, mail_id: str, is_sent: bool, reason: Reason) -> Mail | None:
        """Raises NotNow for one that is not ambiguous."""
        try:
            mail = await self.mails.decide(mail_id, is_sent, reason.by, reason.why)
        except ContentGone as error:
            raise NotNow(str(error)) from error
        wanted = State.SENT if is_sent else State.QUEUED
        return self._woken(_done("decided", mail, (wanted,), reason))

    async def lift(self, recipient: str, reason: Reason) -> bool:
        """False: the address is not suppressed. Raises RequestInvalid."""
        is_lifted = await self.suppressions.lift(self.canonical(recipient))
        if is_lifted:
            log.warning("suppression_lifted", by=reason.by, why=reason.why)
        return is_lifted

    def _woken(self, mail: Mail | None) -> Mail | None:
        if mail is not None and mail.state is State.QUEUED:
            self.waking.wake(1)
        return mail


def _done(word: str, mail: Mail | None, wanted: tuple[State, ...], reason: Reason) -> Mail | None:
    if mail is None:
        return None
    if mail.state not in wanted:
        raise NotNow(f"the mail is {mail.state}: it cannot be {word}")
    log.warning(f"mail_{word}", mail_id=mail.id, state=mail.state, by=reason.by, why=reason.why)
    return mail
