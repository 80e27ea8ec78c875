"""The figures that operators watch, as JSON and for Prometheus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.service.metrics import Metric, gauge
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.ports import Mails

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
