"""The figures that operators watch: as JSON, for Prometheus, and as queues for the gateway's page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.service.metrics import Metric, gauge
from chassis.service.operators_status import MAX_PARKED, ParkedItem, QueueAction, QueueStatus, shortened
from extracted.mailer.domain import Mail, MailState
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.ports import MailFilter, Mails

RETRY: Final = QueueAction(name="retry", path="/mails/{id}/retry")
CANCEL: Final = QueueAction(name="cancel", path="/mails/{id}/cancel")
SEND_AGAIN: Final = QueueAction(
    name="retry",
    path="/mails/{id}/decide/again",
    warns="The provider may have taken this mail: then it arrives twice. Look into the provider's log first.",
)
HOLD_SENT: Final = QueueAction(
    name="drop",
    path="/mails/{id}/decide/sent",
    warns="It counts as sent, and is not sent again. If the provider has not taken it, its recipient gets none.",
)
WAITING: Final = (MailState.QUEUED, MailState.SENDING, MailState.DEFERRED)
Consuming = Callable[[], Mapping[str, object] | None]


@dataclass(frozen=True, slots=True)
class MailerStatus:
    """`is_away`: the provider counts as down. All but the rows is about this process alone."""

    mails: Mails
    maintenance: Maintenance
    consumer: Consuming
    senders: int
    is_away: Callable[[], bool]

    async def status(self) -> Mapping[str, object]:
        """`isLate`: the alarm is on. Raises StoreUnavailable."""
        age_s, alarm_s = await self.maintenance.oldest_due_s(), self.maintenance.alarm_after.total_seconds()
        waits = {"oldestDueS": age_s, "alarmAfterS": alarm_s, "isLate": age_s is not None and age_s > alarm_s}
        provider = {"isAway": self.is_away(), "senders": self.senders}
        return {"mails": await self.mails.counted(), **waits, "provider": provider, "consumer": self.consumer()}

    async def queues(self) -> Sequence[QueueStatus]:
        """Mails that wait, that have failed, and that an operator has to decide. Raises StoreUnavailable."""
        status, counted = await self.status(), await self.mails.counted()
        failed = await self._queue("failed mails", (MailState.FAILED,), RETRY)
        undecided = await self._queue("ambiguous mails", (MailState.AMBIGUOUS,), SEND_AGAIN, HOLD_SENT)
        says = "the provider is away" if self.is_away() else "mails wait too long" if status["isLate"] else ""
        waiting = await self._queue("mails", (MailState.DEFERRED,), RETRY, CANCEL)
        more = {
            "waiting": sum(counted[state] for state in WAITING),
            "oldest_s": await self.maintenance.oldest_due_s(),
            "state": "late" if status["isLate"] else "ok",
            "says": says,
        }
        decide = {"says": "the provider may have sent them: decide by its log"} if undecided.waiting else {}
        return waiting.model_copy(update=more), failed, undecided.model_copy(update=decide)

    async def _queue(self, name: str, states: Sequence[MailState], *actions: QueueAction) -> QueueStatus:
        counted = await self.mails.counted()
        shown = await self.mails.select(MailFilter(states, None, None, None, MAX_PARKED))
        waiting = sum(counted[state] for state in states)
        return QueueStatus(
            name=name,
            waiting=waiting,
            state="parked" if waiting else "ok",
            parked=tuple(map(_parked, shown)),
            actions=actions,
        )

    async def metrics(self) -> Sequence[Metric]:
        """The same as gauges. Raises StoreUnavailable."""
        age_s, counted = await self.maintenance.oldest_due_s() or 0, await self.mails.counted()
        is_late = age_s > self.maintenance.alarm_after.total_seconds()
        return (
            gauge("mailer_mails", "Mails by state.", {state.value: n for state, n in counted.items()}),
            gauge("mailer_oldest_due_seconds", "Age of the oldest mail that could be sent now.", age_s),
            gauge("mailer_is_late", "1: it is older than MAILER_ALARM_AFTER_S.", int(is_late)),
            gauge("mailer_provider_is_away", "1: nothing is sent until a probe gets through.", int(self.is_away())),
        )


def _parked(mail: Mail) -> ParkedItem:
    """Without the address: `polycode mails show` tells it."""
    return ParkedItem(
        id=mail.id, what=f"{mail.kind} ({mail.state})", why=shortened(mail.reason or ""), at=mail.created_at
    )
