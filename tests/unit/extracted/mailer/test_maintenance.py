"""What a clock does beside the senders: stale claims end, and an alarm is told once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from chassis.service.metrics import rendered
from extracted.mailer.domain import MailState
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.status import MailerStatus
from tests.unit.extracted.mailer.databases import LEASE, Kept, wanted

ALARM = timedelta(minutes=5)


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as lines:
        yield lines  # type: ignore[misc]  # the library's own word for a dict


def maintenance(store: Kept) -> Maintenance:
    return Maintenance(store.mails, store.queue, store.retention, store.clock, timedelta(minutes=15), ALARM)


async def test_more_stale_ones_than_one_look_takes_are_all_ended(store: Kept) -> None:
    await store.mails.add([wanted() for _ in range(250)])
    for _ in range(250):
        await store.claimed()
    store.clock.after(seconds=LEASE.total_seconds() + 1)
    await maintenance(store).expire()
    assert (await store.mails.counted())[MailState.DEFERRED] == 250


async def test_a_mail_that_waits_too_long_is_told_once_and_once_that_it_is_over(
    store: Kept, logged: list[dict[str, object]]
) -> None:
    watched = maintenance(store)
    await watched.watch()
    await store.mails.add([wanted()])
    store.clock.after(minutes=5)
    await watched.watch()
    assert logged == []
    store.clock.after(seconds=1)
    for _ in range(3):
        await watched.watch()
    assert [(line["event"], line["log_level"]) for line in logged] == [("mails_wait_too_long", "error")]
    status = await MailerStatus(store.mails, watched, lambda: None, 4, lambda: False).status()
    assert (status["isLate"], status["oldestDueS"]) == (True, 301.0)
    await store.queue.sent(await store.claimed(), "250 ok")
    for _ in range(3):
        await watched.watch()
    assert [line["event"] for line in logged][1:] == ["mails_wait_no_longer"]


async def test_the_metrics_tell_the_same(store: Kept) -> None:
    await store.mails.add([wanted()])
    store.clock.after(minutes=10)
    reporting = MailerStatus(store.mails, maintenance(store), lambda: None, 4, lambda: True)
    lines = rendered(*await reporting.metrics()).splitlines()
    assert {"mailer_oldest_due_seconds 600.0", "mailer_is_late 1", "mailer_provider_is_away 1"} <= set(lines)
