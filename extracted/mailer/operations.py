"""What operators change. Each change is logged, and kept in the mail's history, with who and why."""

from dataclasses import dataclass

import structlog

from extracted.mailer.domain import Mail, MailState
from extracted.mailer.ports import Mails, Notifier, Suppressions
from extracted.mailer.service import Canonical

log = structlog.get_logger("mailer.operations")


@dataclass(frozen=True, slots=True)
class OperatorReason:
    """Who asks, as they say, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class MailOperations:
    """Methods return None where there is no such mail."""

    mails: Mails
    suppressions: Suppressions
    canonical: Canonical
    notifier: Notifier

    async def cancel(self, mail_id: str, reason: OperatorReason) -> Mail | None:
        """Raises NotNow for one that a sender has, or that is at rest."""
        return self._done("cancelled", await self.mails.cancel(mail_id, reason.by, reason.why), reason)

    async def retry(self, mail_id: str, reason: OperatorReason) -> Mail | None:
        """Raises NotNow for one that was sent, is ambiguous, waits already, or has lost its content."""
        return self._done("retried", await self.mails.retry(mail_id, reason.by, reason.why), reason)

    async def decide(self, mail_id: str, is_sent: bool, reason: OperatorReason) -> Mail | None:
        """Raises NotNow for one that is not ambiguous, or is to be sent and has lost its content."""
        return self._done("decided", await self.mails.decide(mail_id, is_sent, reason.by, reason.why), reason)

    async def lift(self, recipient: str, reason: OperatorReason) -> bool:
        """False: the address is not suppressed. Raises RequestInvalid."""
        is_lifted = await self.suppressions.lift(self.canonical(recipient))
        if is_lifted:
            log.warning("suppression_lifted", by=reason.by, why=reason.why)
        return is_lifted

    def _done(self, word: str, mail: Mail | None, reason: OperatorReason) -> Mail | None:
        if mail is None:
            return None
        log.warning(f"mail_{word}", mail_id=mail.id, state=mail.state, by=reason.by, why=reason.why)
        if mail.state is MailState.QUEUED:
            self.notifier.wake(1)
        return mail
