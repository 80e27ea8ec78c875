"""What is removed after a while, and what never: nothing that may still be sent."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from extracted.mailer.domain import MailState, Policy
from extracted.mailer.ports import MailStateConflict
from tests.unit.extracted.mailer.databases import Kept, raw, wanted


async def test_a_mail_at_rest_loses_its_content_after_a_month_and_its_row_and_history_a_year_later(store: Kept) -> None:
    [mail] = await store.mails.add([wanted()])
    await store.queue.sent(await store.claimed(), "250 ok")
    store.clock.after(days=29)
    assert await store.retention.forget() == 0
    store.clock.after(days=2)
    assert [await store.retention.forget() for _ in range(2)] == [1, 0]
    [row] = await store.rows(store.tables.mails)
    assert (row["variables"], row["state"]) == (None, "sent")
    [again] = await store.mails.add([wanted(row["key"])])
    assert again.id == mail.id
    store.clock.after(days=330)
    assert await store.retention.forget() > 0
    for table in (store.tables.mails, store.tables.events):
        assert await store.rows(table) == []


async def test_a_raw_content_goes_when_no_mail_needs_it_any_more(store: Kept) -> None:
    await store.mails.add([wanted(f"smtp:{n}", f"p{n}@example.org", content=raw()) for n in range(2)])
    await store.queue.sent(await store.claimed(), "250 ok")
    store.clock.after(days=31)
    assert await store.retention.forget() == 1
    assert len(await store.rows(store.tables.contents)) == 1
    await store.queue.sent(await store.claimed(), "250 ok")
    store.clock.after(days=31)
    assert await store.retention.forget() == 1
    assert await store.rows(store.tables.contents) == []


async def test_what_may_still_be_sent_keeps_its_content_however_old(store: Kept) -> None:
    await store.mails.add([wanted(), wanted(), wanted()])
    await store.queue.deferred(await store.claimed(), "450", store.clock() + timedelta(days=500))
    await store.claimed()
    store.clock.after(days=400)
    assert await store.retention.forget() == 0
    assert {row["state"] for row in await store.rows(store.tables.mails)} == {"queued", "deferred", "sending"}


async def test_a_mail_without_content_is_not_sent_again_but_can_be_decided_as_sent(store: Kept) -> None:
    failed, silent = await store.mails.add([wanted(policy=Policy.AT_MOST_ONCE) for _ in range(2)])
    await store.queue.failed(await store.claimed(), "550", is_bounce=False)
    await store.queue.ambiguous(await store.claimed(), "no answer", None)
    store.clock.after(days=31)
    await store.retention.forget()
    with pytest.raises(MailStateConflict, match="content"):
        await store.mails.retry(failed.id, "ada", "late")
    assert await store.state(failed.id) is MailState.FAILED
    with pytest.raises(MailStateConflict, match="content"):
        await store.mails.decide(silent.id, False, "ada", "late")
    await store.mails.decide(silent.id, True, "ada", "the provider has it")
    assert await store.state(silent.id) is MailState.SENT


async def test_bounces_and_suppressions_that_count_no_more_are_forgotten(store: Kept) -> None:
    for _ in range(3):
        await store.mails.add([wanted()])
        await store.queue.failed(await store.claimed(), "550", is_bounce=True)
        store.clock.after(seconds=1)
    await store.retention.forget()
    assert len(await store.rows(store.tables.bounces)) == 3
    store.clock.after(days=31)
    await store.retention.forget()
    assert await store.rows(store.tables.bounces) == []
    assert await store.rows(store.tables.suppressions) == []


async def test_more_than_one_round_needs_are_forgotten_in_rounds(store: Kept) -> None:
    await store.mails.add([wanted() for _ in range(600)])
    async with store.database.write() as connection:
        await connection.execute(update(store.tables.mails).values(state=MailState.CANCELLED.value, due_at=None))
    store.clock.after(days=31)
    assert [await store.retention.forget() for _ in range(3)] == [500, 100, 0]
