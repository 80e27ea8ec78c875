"""Records in its row what became of a mail, also where the database is away for a while; logs it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from chassis.store import StoreUnavailable
from extracted.mailer.delivery.outcomes import Ambiguous, Deferred, Failed, Returned, Sent, Verdict
from extracted.mailer.domain import Claimed, DeliveryOutcome, MailState, Rejected, Templated, Unanswered, Unreachable
from extracted.mailer.ports import DeliveryQueue

log = structlog.get_logger("mailer.sending")

_FIRST_RETRY_S: Final = 0.1
_STATES: Final = {
    Sent: MailState.SENT,
    Deferred: MailState.DEFERRED,
    Failed: MailState.FAILED,
    Ambiguous: MailState.AMBIGUOUS,
}
_EVENTS: Final = {Sent: "mail_sent", Deferred: "mail_deferred", Returned: "mail_returned"}
"""Results that need no operator."""


@dataclass(frozen=True, slots=True)
class ResultRecorder:
    """Tries for as long as the `lease`: after that, maintenance makes the row ambiguous."""

    queue: DeliveryQueue
    lease: timedelta
    clock: Callable[[], datetime]
    last_retry_s: float

    async def record(self, claimed: Claimed, verdict: Verdict, outcome: DeliveryOutcome | None = None) -> None:
        """Raises StoreUnavailable when the lease has ended."""
        until, retry_s = self.clock() + self.lease, _FIRST_RETRY_S
        write = _writer(self.queue, claimed, verdict)
        while True:
            try:
                _report(claimed, verdict, outcome, is_held=await write())
                return
            except StoreUnavailable as error:
                if self.clock() >= until:
                    raise
                log.warning(
                    "outcome_waits", mail_id=claimed.mail_id, state=str(_state(claimed, verdict)), reason=str(error)
                )
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, self.last_retry_s)


def _writer(queue: DeliveryQueue, claimed: Claimed, verdict: Verdict) -> Callable[[], Awaitable[bool]]:
    match verdict:
        case Sent(response):
            return partial(queue.sent, claimed, response)
        case Deferred(reason, due_at):
            return partial(queue.deferred, claimed, reason, due_at)
        case Returned(reason, due_at):
            return partial(queue.returned, claimed, reason, due_at)
        case Failed(reason, is_bounce):
            return partial(queue.failed, claimed, reason, is_bounce)
        case Ambiguous(reason, until):
            return partial(queue.ambiguous, claimed, reason, until)


def _report(claimed: Claimed, verdict: Verdict, outcome: DeliveryOutcome | None, is_held: bool) -> None:
    """Logs no address and no reply of a server, which may hold one: both are in the row."""
    content = claimed.content
    facts = {
        "mail_id": claimed.mail_id,
        "kind": content.kind if isinstance(content, Templated) else "raw",
        "state": str(_state(claimed, verdict)),
        "attempt": claimed.attempt,
    }
    if isinstance(outcome, Rejected):
        facts |= {"code": outcome.code, "verb": outcome.verb}
    if isinstance(outcome, Unreachable | Unanswered):
        facts["reason"] = outcome.reason
    if not is_held:
        log.warning("lease_lost", **facts)
    elif isinstance(verdict, Failed | Ambiguous):
        log.error("mail_not_sent", **facts)
    else:
        log.info(_EVENTS[type(verdict)], **facts)


def _state(claimed: Claimed, verdict: Verdict) -> MailState:
    """The same state as in the mail's history."""
    return claimed.came_from if isinstance(verdict, Returned) else _STATES[type(verdict)]
