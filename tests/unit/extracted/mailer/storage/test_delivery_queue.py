"""What senders do with rows: each mail to one of them, fresh ones first, and nothing by who has lost its claim."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text, update

from extracted.mailer.domain import MailState, Policy
from tests.unit.extracted.mailer.databases import LEASE, Kept, wanted


async def add(store: Kept, recipient: str = "ada@example.org", **changes: Any) -> str:
    [mail] = await store.mails.add([wanted(recipient=recipient, **changes)])
    store.clock.after(seconds=1)
    return mail.id


async def test_many_senders_get_each_mail_once(store: Kept) -> None:
    ids = {await add(store) for _ in range(40)}

    async def all_that_there_is() -> list[str]:
        mine = []
        while (claimed := await store.claim()) is not None:
            mine.append(claimed.mail_id)
        return mine

    got = [id for mine in await asyncio.gather(*(all_that_there_is() for _ in range(5))) for id in mine]
    assert len(got) == 40
    assert set(got) == ids


async def test_the_oldest_leaves_first_and_what_was_never_tried_before_retries(store: Kept) -> None:
    first, second = await add(store), await add(store)
    await store.queue.deferred(await store.claimed(), "450 later", store.clock())
    third = await add(store)
    assert [(await store.claimed()).mail_id for _ in range(3)] == [second, third, first]


async def test_a_claimed_mail_is_nobody_elses_and_its_retry_waits_until_it_is_due(store: Kept) -> None:
    id = await add(store)
    claimed = await store.claimed()
    assert (claimed.mail_id, claimed.attempt, claimed.recipient) == (id, 1, "ada@example.org")
    assert (await store.state(id), await store.claim()) == (MailState.SENDING, None)
    due_at = store.clock() + timedelta(minutes=1)
    assert await store.queue.deferred(claimed, "450 later", due_at)
    assert (await store.state(id), await store.claim()) == (MailState.DEFERRED, None)
    assert await store.queue.next_due() == due_at
    store.clock.after(minutes=1)
    again = await store.claimed()
    assert again.attempt == 2
    assert await store.queue.sent(again, "250 2.0.0 Ok: queued as X")
    mail = await store.mail(id)
    assert (mail.attempts, mail.reason, mail.response) == (2, "450 later", "250 2.0.0 Ok: queued as X")
    assert (mail.state, mail.due_at, await store.queue.next_due()) == (MailState.SENT, None, None)
    assert await store.history(id) == ["queued", "deferred", "sent"]


async def test_an_attempt_that_was_none_is_not_counted_and_the_mail_stays_fresh(store: Kept) -> None:
    returned = await add(store)
    assert await store.queue.returned(await store.claimed(), "no connection", store.clock())
    assert await store.state(returned) is MailState.QUEUED
    retried = await add(store)
    await store.queue.deferred(await store.claimed(), "no matter", store.clock())
    await store.queue.deferred(await store.claimed(), "450 later", store.clock())
    await store.queue.returned(await store.claimed(), "no connection", store.clock())
    states = {await store.state(id) for id in (returned, retried)}
    assert states == {MailState.DEFERRED}
    assert {mail["attempts"] for mail in await store.rows(store.tables.mails)} == {1}


async def test_who_has_lost_its_claim_changes_nothing(store: Kept) -> None:
    id = await add(store)
    lost = await store.claimed()
    store.clock.after(seconds=LEASE.total_seconds() + 1)
    assert await store.queue.expire(store.clock(), store.clock()) == 1
    claimed = await store.claimed()
    now = store.clock()
    queue = store.queue
    for late in (
        queue.sent(lost, "250 ok"),
        queue.deferred(lost, "450", now),
        queue.returned(lost, "gone", now),
        queue.failed(lost, "550", is_bounce=True),
        queue.ambiguous(lost, "no answer", None),
    ):
        assert await late is False
    assert await store.history(id) == ["queued", "ambiguous"]
    assert await store.rows(store.tables.bounces) == []
    assert await queue.sent(claimed, "250 ok")
    assert not await queue.sent(claimed, "250 ok")


@pytest.mark.parametrize(
    ("policy", "state"), [(Policy.AT_LEAST_ONCE, MailState.DEFERRED), (Policy.AT_MOST_ONCE, MailState.AMBIGUOUS)]
)
async def test_a_mail_without_an_answer_is_ambiguous_and_sent_again_by_its_policy(
    store: Kept, policy: Policy, state: MailState
) -> None:
    """Where the sender died, and where it was told when to send it again, if at all."""
    ids = [await add(store, policy=policy) for _ in range(2)]
    due_at = store.clock() + LEASE * 2
    told = due_at if state is MailState.DEFERRED else None
    await store.claimed()
    assert await store.queue.ambiguous(await store.claimed(), "no answer after the dot", told)
    assert await store.queue.expire(store.clock(), due_at) == 0
    store.clock.after(seconds=LEASE.total_seconds() + 1)
    assert [await store.queue.expire(store.clock(), due_at) for _ in range(2)] == [1, 0]
    for id, said in zip(ids, ("its sender died", "no answer after the dot"), strict=True):
        mail, history = await store.found(id)
        assert (mail.state, mail.ambiguities, mail.attempts, mail.due_at) == (state, 1, 1, told)
        assert [event.state for event in history] == [MailState.QUEUED, MailState.AMBIGUOUS]
        assert said in history[-1].detail


async def bounce(store: Kept, recipient: str, times: int) -> None:
    for _ in range(times):
        await add(store, recipient)
        assert await store.queue.failed(await store.claimed(), "550 no such user", is_bounce=True)


async def test_an_address_that_bounces_three_times_within_a_day_is_sent_nothing_for_a_month(store: Kept) -> None:
    await bounce(store, "bad@example.org", 3)
    await add(store, "bad@example.org")
    barred, other = await add(store, "bad@example.org"), await add(store)
    assert (await store.claimed()).mail_id == other
    assert await store.state(barred) is MailState.SUPPRESSED
    assert await store.history(barred) == ["queued", "suppressed"]
    assert (await store.mails.counted())[MailState.SUPPRESSED] == 2
    [suppression] = await store.suppressions.listed("", 10)
    assert (suppression.recipient, suppression.reason) == ("bad@example.org", "550 no such user")
    assert await store.suppressions.listed("bad@example.org", 10) == []
    store.clock.after(days=30, seconds=1)
    assert await store.suppressions.listed("", 10) == []
    late = await add(store, "bad@example.org")
    assert (await store.claimed()).mail_id == late


async def test_only_bounces_of_one_day_and_address_count_and_a_success_makes_it_good_again(store: Kept) -> None:
    for _ in range(4):
        await bounce(store, "slow@example.org", 1)
        store.clock.after(hours=13)
    for n in range(3):
        await bounce(store, f"p{n}@example.org", 1)
    assert await store.suppressions.listed("", 10) == []
    await bounce(store, "ada@example.org", 2)
    await add(store)
    under_way = await store.claimed()
    await bounce(store, "ada@example.org", 1)
    assert len(await store.suppressions.listed("", 10)) == 1
    await store.queue.sent(under_way, "250 ok")
    assert await store.suppressions.listed("", 10) == []
    await bounce(store, "ada@example.org", 2)
    assert await store.suppressions.listed("", 10) == []


async def test_an_outage_does_not_make_the_oldest_mail_look_young(store: Kept) -> None:
    began = store.clock()
    await add(store)
    assert await store.mails.oldest_due() == began
    store.clock.after(hours=1)
    await store.queue.returned(await store.claimed(), "no connection", store.clock() + timedelta(seconds=30))
    assert await store.mails.oldest_due() == began
    store.clock.after(seconds=30)
    await store.queue.deferred(await store.claimed(), "450", store.clock() + timedelta(hours=1))
    assert await store.mails.oldest_due() is None
    store.clock.after(hours=2)
    assert await store.mails.oldest_due() == store.clock() - timedelta(hours=1)


async def test_odd_texts_of_a_provider_are_kept_as_far_as_they_can_be(store: Kept) -> None:
    id = await add(store)
    await store.queue.failed(await store.claimed(), "550 \0 \ud800 " + "x" * 100_000, is_bounce=True)
    reason = (await store.mail(id)).reason or ""
    assert (reason[:9], len(reason)) == ("550 � ? x", 4000)


async def test_claiming_reads_the_two_indexes_of_what_waits_alone(store: Kept) -> None:
    """So that it costs the same whatever waits, or has ever been sent."""
    for _ in range(1 if store.database.is_sqlite else 3):  # PostgreSQL reads a short table from end to end
        await store.mails.add([wanted(recipient=f"p{n}@example.org") for n in range(1000)])
    async with store.database.write() as connection:
        mails = store.tables.mails
        await connection.execute(update(mails).where(mails.c.recipient < "p5").values(attempts=1))
    seen = await plan(store)
    assert "mails_fresh" in seen
    assert "mails_again" in seen
    assert "Seq Scan on mails" not in seen
    assert "SCAN mailer_mails" not in seen.replace("SCAN mailer_mails USING INDEX mailer_mails_", "")


async def plan(store: Kept) -> str:
    """How the database does what `claim` asks for."""
    seen: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(store.database.engine.sync_engine, "before_cursor_execute", record)
    await store.claimed()
    word = "EXPLAIN QUERY PLAN" if store.database.is_sqlite else "EXPLAIN"
    [(statement, parameters)] = [one for one in seen if "UPDATE" in one[0]]
    async with store.database.write() as connection:
        if not store.database.is_sqlite:
            await connection.execute(text(f"ANALYZE {store.tables.mails}"))
        return "\n".join(str(row) for row in await connection.exec_driver_sql(f"{word} {statement}", parameters))
