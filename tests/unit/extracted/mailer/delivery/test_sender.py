"""A sender's loop on real rows and a real mail server: nothing is lost, or doubled silently (F29 to F32, I9, I10)."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import SmtpTimeouts
from extracted.mailer.delivery.sender import wake_one
from extracted.mailer.delivery.throttle import BreakerLimits, Throttle
from extracted.mailer.domain import Claimed, MailState, OutgoingMessage, Policy
from tests.support.mail.smtp_faults import DATA, DOT, GREETING, RCPT, Fault
from tests.support.mail.smtp_sink import Sink, running_sink
from tests.unit.extracted.mailer.databases import Kept
from tests.unit.extracted.mailer.post import BREAKER_LIMITS, COMPOSER, Hanging, eventually, post

S = MailState


async def test_a_mail_that_cannot_be_written_fails_once_and_tells_nothing_of_its_content(store: Kept) -> None:
    def write(claimed: Claimed) -> OutgoingMessage:
        if claimed.mail_id == bad:
            raise KeyError("token t-1 of ada")
        return COMPOSER(claimed)

    bad = ""
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink, compose=write) as sent:
            bad = await sent.ask()
            good = await sent.ask()
            failed = await sent.until(bad, S.FAILED)
            await sent.until(good, S.SENT)

    assert (failed.reason, failed.attempts) == ("the message cannot be built: KeyError", 1)
    assert sink.counts == {good: 1}
    assert [line["event"] for line in logs if line.get("mail_id") == bad] == ["mail_cannot_be_written", "mail_not_sent"]
    assert "t-1" not in str([{k: v for k, v in line.items() if k != "exc_info"} for line in logs])


async def test_a_database_that_is_away_is_waited_for(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, away={"claim": 3, "sent": 3}) as sent:
        mail = await sent.until(await sent.ask(), S.SENT)
    assert (mail.attempts, sink.counts, sent.rows.calls["sent"]) == (1, {mail.id: 1}, 4)


async def test_an_outcome_that_comes_too_late_changes_nothing(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink(Sink(latency_s=2)) as sink, post(store, sink) as sent:
            await sent.until(await sent.ask(policy=Policy.AT_MOST_ONCE), S.SENDING)
            await store.queue.expire(store.clock() + timedelta(hours=1), store.clock())
            await eventually(lambda: any(line["event"] == "lease_lost" for line in logs))
            assert await store.counted() == {S.AMBIGUOUS: 1}


async def test_a_stop_finishes_the_mail_that_is_under_way_and_takes_no_other(store: Kept) -> None:
    async with running_sink(Sink(latency_s=0.2)) as sink, post(store, sink, 2) as sent:
        await sent.ask(10)
        await eventually(lambda: len(sink.taken) == 2)
        await sent.stop()
        assert await store.counted() == {S.SENT: 2, S.QUEUED: 8}


@pytest.mark.parametrize(
    ("verb", "state", "attempts"),
    [(GREETING, S.QUEUED, 0), (RCPT, S.QUEUED, 0), (DATA, S.QUEUED, 0), (DOT, S.SENDING, 1)],
)
async def test_a_sender_that_is_ended_gives_back_what_it_has_not_handed_over(
    store: Kept, verb: str, state: MailState, attempts: int
) -> None:
    async with running_sink() as sink, post(store, sink, timeouts=SmtpTimeouts()) as sent:
        sink.script = hanging = Hanging(verb)
        mail_id = await sent.ask(policy=Policy.AT_MOST_ONCE)
        await eventually(lambda: hanging.is_so)
        await sent.end()
    mail = await store.mail(mail_id)
    assert (mail.state, mail.attempts, mail.ambiguities) == (state, attempts, 0)


async def test_a_sender_that_is_ended_does_not_wait_for_a_database_that_is_away(store: Kept) -> None:
    away: dict[str, Any] = {"timeouts": SmtpTimeouts(), "away": {"returned": 1_000}, "give_back_s": 0.2}
    async with running_sink() as sink, post(store, sink, **away) as sent:
        sink.script = hanging = Hanging(RCPT)
        await sent.ask()
        await eventually(lambda: hanging.is_so)
        async with asyncio.timeout(60):
            await sent.end()
        assert await store.counted() == {S.SENDING: 1}


async def test_a_stop_does_not_wait_for_what_is_idle_or_away(store: Kept) -> None:
    async with running_sink() as sink:
        pass
    async with post(store, sink, 2, look_every_s=3600) as sent:
        await sent.ask(5)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await sent.stop()
    assert time.monotonic() - began < 60


async def test_one_idle_sender_is_woken_for_one_new_mail(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, 3, look_every_s=3600) as sent:
        await eventually(lambda: all(sender.is_idle for sender in sent.senders))
        mail_id = await sent.ask()
        wake_one(sent.senders)
        assert [sender.is_idle for sender in sent.senders] == [False, True, True]
        await sent.until(mail_id, S.SENT)


async def test_a_retry_leaves_when_it_is_due_though_nobody_wakes_for_it(store: Kept) -> None:
    retry_policy = DeliveryRetryPolicy(first=timedelta(seconds=0.4), longest=timedelta(seconds=0.4))
    async with running_sink() as sink, post(store, sink, look_every_s=3600, retry_policy=retry_policy) as sent:
        sink.faults(Fault(RCPT, code=451, times=1))
        mail_id = await sent.ask()
        wake_one(sent.senders)
        sent.senders[0].wake()
        await sent.until(mail_id, S.SENT)


async def test_the_rate_holds_for_all_senders_together(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, 4, throttle=Throttle(20, BREAKER_LIMITS)) as sent:
        await sent.until(await sent.ask(12), S.SENT)
    times = [taken.at for taken in sink.taken]
    assert times[-1] - times[0] > 0.3


async def test_while_the_breaker_is_open_nothing_is_claimed(store: Kept) -> None:
    closed_late = Throttle(breaker_limits=BreakerLimits(failures=3, first_s=60))
    async with running_sink() as sink, post(store, sink, throttle=closed_late) as sent:
        sink.faults(Fault(GREETING, code=554))
        await sent.ask(10)
        await eventually(lambda: sink.connections == 3)
        claims = sent.rows.calls["claim"]
        await asyncio.sleep(0.3)
        assert (sent.rows.calls["claim"], sink.connections) == (claims, 3)


async def test_a_mail_is_written_sent_and_noted_and_its_log_names_no_people(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink) as sent:
            sink.faults(Fault(RCPT, code=550, text="5.1.1 <ada@mail.test> unknown", times=1))
            bad = await sent.until(await sent.ask(), S.FAILED)
            good = await sent.until(await sent.ask(), S.SENT)
            await eventually(lambda: any(line.get("mail_id") == good.id for line in logs))
    (taken,) = sink.taken
    assert (taken.id, taken.sender, taken.recipients) == (good.id, "noreply@polycode.test", (good.recipient,))
    assert f"Message-ID: <{good.id}@polycode.test>\r\n".encode() in taken.raw
    assert (good.response, good.attempts, good.reason) == ("2.0.0 taken", 1, None)
    lines = {line["mail_id"]: line for line in logs if "mail_id" in line}
    facts = {"kind": "verify_account", "attempt": 1}
    refused = {"event": "mail_not_sent", "log_level": "error", "state": "failed", "code": 550, "verb": "RCPT"}
    assert lines[bad.id] == {"mail_id": bad.id} | facts | refused
    assert lines[good.id] == {"mail_id": good.id, "event": "mail_sent", "log_level": "info", "state": "sent"} | facts
    assert not any(told in str(logs) for told in ("ada@", bad.recipient, good.recipient, "t-1"))


async def test_a_4xx_costs_an_attempt_and_an_absence_none_and_the_log_says_what_the_history_says(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink) as sent:
            away = Fault(GREETING, code=554, times=1), Fault(DATA, code=421, drops=True, times=1)
            sink.faults(*away, Fault(RCPT, code=451, times=1))
            mail = await sent.until(await sent.ask(), S.SENT)
    told = [(line["event"], line["state"]) for line in logs if line.get("mail_id") == mail.id]
    assert [S.QUEUED, *(state for _, state in told)] == await store.history(mail.id)
    returned, put_off = "mail_returned", "mail_deferred"
    assert told == [(returned, "queued"), (put_off, "deferred"), (returned, "deferred"), ("mail_sent", "sent")]
    assert (mail.attempts, mail.ambiguities, sink.counts) == (2, 0, {mail.id: 1})
    assert (mail.due_at, mail.response) == (None, "2.0.0 taken")
    assert str(mail.reason).startswith(("451 to RCPT", "421 to DATA"))
