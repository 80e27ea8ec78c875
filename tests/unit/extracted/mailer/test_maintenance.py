"""What a clock does beside the senders: stale claims end, and an alarm is told once."""

from datetime import timedelta

from structlog.testing import capture_logs

from chassis.service.metrics import rendered
from extracted.mailer.domain import MailState
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.status import MailerStatus
from tests.unit.extracted.mailer.databases import LEASE, Kept, wanted

ALARM = timedelta(minutes=5)


async def test_more_stale_ones_than_one_look_takes_are_all_ended(store: Kept) -> None:
    await store.mails.add([wanted() for _ in range(250)])
    for _ in range(250):
        await store.claimed()
    store.clock.after(seconds=LEASE.total_seconds() + 1)
    await Maintenance(store.mails, store.queue, store.retention, store.clock, timedelta(minutes=15), ALARM).expire()
    assert await store.counted() == {MailState.DEFERRED: 250}


async def test_a_mail_that_waits_too_long_is_told_once_and_once_that_it_is_over(store: Kept) -> None:
    watched = Maintenance(store.mails, store.queue, store.retention, store.clock, timedelta(minutes=15), ALARM)
    reporting = MailerStatus(store.mails, watched, lambda: None, 4, lambda: True)
    with capture_logs() as logged:
        await watched.watch()
        await store.mails.add([wanted()])
        store.clock.after(minutes=5)
        await watched.watch()
        assert logged == []
        store.clock.after(seconds=1)
        for _ in range(3):
            await watched.watch()
        assert [(line["event"], line["log_level"]) for line in logged] == [("mails_wait_too_long", "error")]
        status = await reporting.status()
        assert (status["isLate"], status["oldestDueS"]) == (True, 301.0)
        lines = rendered(*await reporting.metrics()).splitlines()
        assert {"mailer_oldest_due_seconds 301.0", "mailer_is_late 1", "mailer_provider_is_away 1"} <= set(lines)
        await store.queue.sent(await store.claimed(), "250 ok")
        for _ in range(3):
            await watched.watch()
        assert [line["event"] for line in logged][1:] == ["mails_wait_no_longer"]
