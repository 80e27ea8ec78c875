"""A sender's loop on real rows and a real mail server: nothing is lost, or doubled silently (F29 to F32, I9, I10)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.store import StoreUnavailable
from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import SmtpTimeouts
from extracted.mailer.delivery.sender import wake_one
from extracted.mailer.delivery.throttle import BreakerLimits, Throttle
from extracted.mailer.domain import Claimed, MailState, OutgoingMessage, Policy
from tests.support.smtp_faults import DATA, DOT, EHLO, GREETING, MAIL, RCPT, Fault
from tests.support.smtp_sink import Sink, running_sink
from tests.unit.extracted.mailer.databases import Kept, raw
from tests.unit.extracted.mailer.post import (
    BREAKER_LIMITS,
    RETRY_POLICY,
    SHORT,
    WRITER,
    Hanging,
    Post,
    deliveries,
    eventually,
    now,
    order_of,
    post,
)

S = MailState
LONG = timedelta(hours=1)


class Wrapped:
    """Rows of which some calls fail as if the database was away; `calls` counts them all."""

    def __init__(self, rows: Any, **away: int) -> None:
        self._rows = rows
        self.away = away
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*given: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            if self.away.get(name, 0) > 0:
                self.away[name] -= 1
                raise StoreUnavailable("it is away")
            return await getattr(self._rows, name)(*given)

        return call


async def test_a_mail_is_written_sent_and_noted(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink) as sent:
        mail_id = await sent.ask_once()
        mail = await sent.until(mail_id, S.SENT)

    (taken,) = sink.taken
    assert (taken.id, taken.sender, taken.recipients) == (mail_id, "noreply@polycode.test", (mail.recipient,))
    assert f"Message-ID: <{mail_id}@polycode.test>\r\n".encode() in taken.raw
    assert (mail.response, mail.attempts, mail.reason) == ("2.0.0 taken", 1, None)


async def test_a_raw_mail_keeps_its_bytes_and_its_sender(store: Kept) -> None:
    content = raw(b"From: x\r\n\r\n.\r\n..\r\n\xff\xfe no end")
    async with running_sink() as sink, post(store, sink) as sent:
        await sent.until(await sent.ask_once(content=content), S.SENT)

    assert (sink.taken[0].sender, sink.taken[0].raw) == (content.sender, content.content + b"\r\n")


@pytest.mark.parametrize("verb", [MAIL, RCPT, DATA, DOT])
async def test_a_4xx_is_tried_again_as_the_same_mail(store: Kept, verb: str) -> None:
    async with running_sink() as sink, post(store, sink) as sent:
        sink.faults(Fault(verb, code=451, text="4.3.0 not\nnow", times=1))
        mail_id = await sent.ask_once()
        mail = await sent.until(mail_id, S.SENT)
        history = await sent.history(mail_id)

    assert (mail.attempts, mail.ambiguities) == (2, 0)
    assert history == [S.QUEUED, S.DEFERRED, S.SENT]
    assert sink.counts == {mail_id: 1}


@pytest.mark.parametrize("verb", [MAIL, RCPT, DATA, DOT])
async def test_a_5xx_fails_at_once_and_the_next_mail_goes(store: Kept, verb: str) -> None:
    async with running_sink() as sink, post(store, sink) as sent:
        sink.faults(Fault(verb, code=554, text="5.7.1 never\never", times=1))
        bad = await sent.until(await sent.ask_once(), S.FAILED)
        good = await sent.until(await sent.ask_once(), S.SENT)

    assert bad.reason is not None
    assert bad.reason.startswith("554 to ")
    assert bad.reason.endswith(": 5.7.1 never / ever")
    assert sink.counts == {good.id: 1}


async def test_a_4xx_for_ever_ends_with_its_reason(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, retry_policy=replace(RETRY_POLICY, attempts=3)) as sent:
        sink.faults(Fault(RCPT, code=450, text="4.2.0 busy"))
        mail = await sent.until(await sent.ask_once(), S.FAILED)

    assert (mail.attempts, mail.reason) == (3, "given up at attempt 3; the last reason: 450 to RCPT: 4.2.0 busy")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(GREETING, code=554),
        Fault(GREETING, "hang"),
        Fault(EHLO, "drop"),
        Fault(MAIL, code=421, drops=True),
        Fault(RCPT, code=421, drops=True),
        Fault(DATA, "drop"),
        Fault(MAIL, code=530),
    ],
)
async def test_a_provider_that_is_away_burns_no_attempt(store: Kept, fault: Fault) -> None:
    async with running_sink() as sink, post(store, sink, timeouts=SHORT) as sent:
        sink.faults(replace(fault, times=2))
        mail_id = await sent.ask_once()
        mail = await sent.until(mail_id, S.SENT)

    assert (mail.attempts, mail.ambiguities) == (1, 0)
    assert sink.counts == {mail_id: 1}


async def test_no_answer_is_ambiguous_and_sent_again_under_the_same_name_where_that_is_allowed(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink) as sent:
        sink.faults(Fault(DOT, "drop", takes=True, times=1))
        mail_id = await sent.ask_once()
        mail = await sent.until(mail_id, S.SENT)
        history = await sent.history(mail_id)

    assert mail.ambiguities == 1
    assert S.AMBIGUOUS in history
    assert sink.counts == {mail_id: 2}
    assert sink.taken[0].raw == sink.taken[1].raw


@pytest.mark.parametrize(
    "fault",
    [Fault(DOT, "drop", takes=True), Fault(DOT, "drop", takes=False), Fault(DOT, "hang", seconds=0.8)],
)
async def test_at_most_once_waits_for_a_human(store: Kept, fault: Fault) -> None:
    async with running_sink() as sink, post(store, sink, timeouts=SHORT) as sent:
        sink.faults(replace(fault, times=1))
        mail = await sent.until(await sent.ask_once(Policy.AT_MOST_ONCE), S.AMBIGUOUS)
        await sent.until(await sent.ask_once(), S.SENT)

        assert await sent.counted() == {S.AMBIGUOUS: 1, S.SENT: 1}

    assert mail.due_at is None
    assert mail.reason is not None
    assert sink.counts[mail.id] == int(fault.keeps)


async def test_a_provider_that_never_answers_gets_a_few_copies_at_most(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink) as sent:
        sink.faults(Fault(DOT, "drop", takes=True))
        mail = await sent.until(await sent.ask_once(), S.AMBIGUOUS)

    assert sink.counts == {mail.id: 4}


async def test_a_sender_that_dies_after_the_250_leaves_it_ambiguous(
    store: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILPOINTS", "mailer.accepted=raise")
    async with running_sink() as sink, post(store, sink) as sent:
        once, again = await sent.ask_once(Policy.AT_MOST_ONCE), await sent.ask_once()
        await eventually(lambda: _is(lambda: len(sink.taken) == 2))
        assert await sent.counted() == {S.SENDING: 2}
        monkeypatch.delenv("FAILPOINTS")
        assert await sent.queue.expire(now() + LONG, now()) == 2
        await sent.until(again, S.SENT)

        assert await sent.counted() == {S.SENT: 1, S.AMBIGUOUS: 1}

    assert sink.counts == {once: 1, again: 2}


async def test_a_hang_of_one_mail_holds_up_no_other(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, 8, timeouts=SmtpTimeouts(dot_s=60)) as sent:
        sink.faults(Fault(DOT, "hang", times=7))
        await sent.ask(60)
        await sent.until_counted({S.SENT: 53, S.SENDING: 7})

        assert sink.connections == 8


@pytest.mark.walk
@pytest.mark.parametrize("number", [60, 1000])
async def test_a_quota_defers_all_and_fails_none_and_fresh_mail_goes_first_when_it_is_over(
    store: Kept, number: int
) -> None:
    retry_policy = replace(RETRY_POLICY, quota=timedelta(seconds=2), longest=timedelta(seconds=2), attempts=1)
    async with running_sink() as sink, post(store, sink, 4, retry_policy=retry_policy) as sent:
        throttled = Fault(DOT, code=454, text="Throttling failure")
        sink.faults(Fault(RCPT, code=452, text="4.5.3 quota", times=number - number // 10), throttled)
        old = await sent.ask(number)
        await eventually(lambda: _is(lambda: sink.verbs[RCPT] >= number + 4), 180)
        assert all(mail.attempts > 0 for mail in await sent.all())
        sink.faults()
        fresh, before = await sent.ask(5), len(sink.taken)
        await sent.until_counted({S.SENT: number + 5}, 180)
        attempts = {mail.id: mail.attempts for mail in await sent.all()}

    assert deliveries(sink) == {1: number + 5}
    assert all(attempts[mail_id] > 1 for mail_id in old)
    assert max(map(order_of(sink).index, fresh)) < before + 10


@pytest.mark.walk
@pytest.mark.parametrize("number", [60, 1000])
async def test_a_provider_that_is_down_is_waited_for_without_touching_the_rows(store: Kept, number: int) -> None:
    """Five failures and what was under way with them, then a probe after 0.1 s, and each 0.2 s from then on."""
    async with running_sink() as down:
        pass
    began = time.monotonic()
    async with post(store, down, 4) as sent:
        await sent.ask(number)
        await asyncio.sleep(0.8)
        await sent.until_counted({S.QUEUED: number})  # one may just be the probe
        failed = len([mail for mail in await sent.all() if mail.reason is not None])
        assert failed <= 10 + (time.monotonic() - began) / BREAKER_LIMITS.longest_s
        async with running_sink(Sink(port=down.port)) as sink:
            await sent.until_counted({S.SENT: number}, 180)

            assert {mail.attempts for mail in await sent.all()} == {1}
            assert deliveries(sink) == {1: number}


@pytest.mark.walk
async def test_fresh_mail_leaves_before_retries_that_are_due(store: Kept) -> None:
    async with running_sink(Sink(latency_s=0.02)) as sink, post(store, sink, 2) as sent:
        sink.faults(Fault(RCPT, code=451))
        old = await sent.ask(40)
        await eventually(lambda: _is_tried(sent, 40))
        sink.faults()
        fresh, before = await sent.ask(3), len(sink.taken)
        await sent.until_counted({S.SENT: 43})

    places = [order_of(sink).index(mail_id) for mail_id in fresh]
    assert max(places) < before + 10
    assert set(old) | set(fresh) == set(order_of(sink))


async def test_a_mail_that_cannot_be_written_fails_once_and_tells_nothing_of_its_content(store: Kept) -> None:
    def write(claimed: Claimed) -> OutgoingMessage:
        if claimed.mail_id == bad:
            raise KeyError("token t-1 of ada")
        return WRITER(claimed)

    bad = ""
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink, compose=write) as sent:
            bad = await sent.ask_once()
            good = await sent.ask_once()
            failed = await sent.until(bad, S.FAILED)
            await sent.until(good, S.SENT)

    assert (failed.reason, failed.attempts) == ("it cannot be written: KeyError", 1)
    assert sink.counts == {good: 1}
    assert [line["event"] for line in logs if line.get("mail_id") == bad] == ["mail_cannot_be_written", "mail_not_sent"]
    assert "t-1" not in str([{k: v for k, v in line.items() if k != "exc_info"} for line in logs])


async def test_a_database_that_is_away_is_waited_for(store: Kept) -> None:
    wrapped: list[Wrapped] = []

    def wrap(rows: Any) -> Wrapped:
        wrapped.append(Wrapped(rows, claim=3, sent=3))
        return wrapped[0]

    async with running_sink() as sink, post(store, sink, wrap=wrap) as sent:
        mail = await sent.until(await sent.ask_once(), S.SENT)

    assert (mail.attempts, sink.counts) == (1, {mail.id: 1})
    assert wrapped[0].calls["sent"] == 4


async def test_an_outcome_that_comes_too_late_changes_nothing(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink(Sink(latency_s=2)) as sink, post(store, sink) as sent:
            mail_id = await sent.ask_once(Policy.AT_MOST_ONCE)
            await sent.until(mail_id, S.SENDING)
            await sent.queue.expire(now() + LONG, now())
            await eventually(lambda: _is(lambda: any(line["event"] == "lease_lost" for line in logs)))

            assert await sent.counted() == {S.AMBIGUOUS: 1}


async def test_a_stop_finishes_the_mail_that_is_under_way_and_takes_no_other(store: Kept) -> None:
    async with running_sink(Sink(latency_s=0.2)) as sink, post(store, sink, 2) as sent:
        await sent.ask(10)
        await eventually(lambda: _is(lambda: len(sink.taken) == 2))
        await sent.stop()

        assert await sent.counted() == {S.SENT: 2, S.QUEUED: 8}


async def ended(sent: Post) -> None:
    """As a process ends whose grace is over."""
    for task in sent.tasks:
        task.cancel()
    await asyncio.gather(*sent.tasks, return_exceptions=True)


@pytest.mark.parametrize("verb", [GREETING, RCPT, DATA])
async def test_a_sender_that_is_ended_gives_back_what_it_has_not_handed_over(store: Kept, verb: str) -> None:
    async with running_sink() as sink, post(store, sink, timeouts=SmtpTimeouts()) as sent:
        sink.script = hanging = Hanging(verb)
        mail_id = await sent.ask_once(Policy.AT_MOST_ONCE)
        await eventually(lambda: _is(lambda: hanging.is_so))
        await ended(sent)
        mail = await sent.mail(mail_id)
        assert (mail.state, mail.attempts, mail.ambiguities) == (S.QUEUED, 0, 0)
        async with post(store, sink) as other:
            await other.until(mail_id, S.SENT, within_s=5)

    assert sink.counts == {mail_id: 1}


async def test_a_sender_that_is_ended_after_the_last_dot_leaves_its_mail_to_the_lease(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, timeouts=SmtpTimeouts()) as sent:
        sink.script = hanging = Hanging(DOT)
        await sent.ask_once()
        await eventually(lambda: _is(lambda: hanging.is_so))
        await ended(sent)
        assert await sent.counted() == {S.SENDING: 1}


async def test_a_sender_that_is_ended_does_not_wait_for_a_database_that_is_away(store: Kept) -> None:
    def wrap(rows: Any) -> Wrapped:
        return Wrapped(rows, returned=1_000)

    async with running_sink() as sink, post(store, sink, timeouts=SmtpTimeouts(), wrap=wrap, give_back_s=0.2) as sent:
        sink.script = hanging = Hanging(RCPT)
        await sent.ask_once()
        await eventually(lambda: _is(lambda: hanging.is_so))
        async with asyncio.timeout(5):
            await ended(sent)
        assert await sent.counted() == {S.SENDING: 1}


async def test_a_stop_does_not_wait_for_what_is_idle_or_away(store: Kept) -> None:
    async with running_sink() as sink:
        pass
    async with post(store, sink, 2, look_every_s=60) as sent:
        await sent.ask(5)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await sent.stop()

    assert time.monotonic() - began < 5


async def test_one_idle_sender_is_woken_for_one_new_mail(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, 3, look_every_s=60) as sent:
        await eventually(lambda: _is(lambda: all(sender.is_idle for sender in sent.senders)))
        mail_id = await sent.ask_once()
        wake_one(sent.senders)
        assert [sender.is_idle for sender in sent.senders] == [False, True, True]
        await sent.until(mail_id, S.SENT)


async def test_a_retry_leaves_when_it_is_due_though_nobody_wakes_for_it(store: Kept) -> None:
    retry_policy = DeliveryRetryPolicy(first=timedelta(seconds=0.4), longest=timedelta(seconds=0.4))
    async with running_sink() as sink, post(store, sink, look_every_s=60, retry_policy=retry_policy) as sent:
        sink.faults(Fault(RCPT, code=451, times=1))
        mail_id = await sent.ask_once()
        wake_one(sent.senders)
        sent.senders[0].wake()
        await sent.until(mail_id, S.SENT, within_s=3)


async def test_the_rate_holds_for_all_senders_together(store: Kept) -> None:
    async with running_sink() as sink, post(store, sink, 4, throttle=Throttle(20, 1, BREAKER_LIMITS)) as sent:
        await sent.ask(12)
        await sent.until_counted({S.SENT: 12})

    times = [taken.at for taken in sink.taken]
    assert times[-1] - times[0] > 0.3


async def test_looking_in_vain_uses_nothing_of_the_rate(store: Kept) -> None:
    async with (
        running_sink() as sink,
        post(store, sink, 3, throttle=Throttle(0.01, 1, BREAKER_LIMITS), look_every_s=0.02) as sent,
    ):
        await asyncio.sleep(0.5)
        await sent.until(await sent.ask_once(), S.SENT, within_s=20)


async def test_while_the_breaker_is_open_nothing_is_claimed(store: Kept) -> None:
    rows: list[Wrapped] = []

    def wrap(given: Any) -> Wrapped:
        rows.append(Wrapped(given))
        return rows[0]

    closed_late = Throttle(breaker_limits=BreakerLimits(failures=3, first_s=60))
    async with running_sink() as sink, post(store, sink, throttle=closed_late, wrap=wrap) as sent:
        sink.faults(Fault(GREETING, code=554))
        await sent.ask(10)
        await eventually(lambda: _is(lambda: sink.connections == 3))
        claims = rows[0].calls["claim"]
        await asyncio.sleep(0.3)

        assert (rows[0].calls["claim"], sink.connections) == (claims, 3)


async def test_what_is_logged_names_mails_and_not_people(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink) as sent:
            sink.faults(Fault(RCPT, code=550, text="5.1.1 <ada@mail.test> unknown", times=1))
            bad = await sent.until(await sent.ask_once(), S.FAILED)
            good = await sent.until(await sent.ask_once(), S.SENT)

    lines = {line["mail_id"]: line for line in logs if "mail_id" in line}
    facts = {"kind": "verify_account", "attempt": 1}
    refused = {"event": "mail_not_sent", "log_level": "error", "state": "failed", "code": 550, "verb": "RCPT"}
    assert lines[bad.id] == {"mail_id": bad.id} | facts | refused
    assert lines[good.id] == {"mail_id": good.id, "event": "mail_sent", "log_level": "info", "state": "sent"} | facts
    assert not any(told in str(logs) for told in ("ada@", bad.recipient, good.recipient, "t-1"))


async def test_the_log_says_of_a_mail_what_its_history_says(store: Kept) -> None:
    with capture_logs() as logs:
        async with running_sink() as sink, post(store, sink) as sent:
            away = Fault(GREETING, code=554, times=1), Fault(DATA, code=421, drops=True, times=1)
            sink.faults(*away, Fault(RCPT, code=451, times=1))
            mail_id = await sent.ask_once()
            await sent.until(mail_id, S.SENT)
            history = await sent.history(mail_id)

    told = [(line["event"], line["state"]) for line in logs if line.get("mail_id") == mail_id]
    assert [state for _, state in told] == [str(state) for state in history[1:]]
    returned, put_off = "mail_returned", "mail_deferred"
    assert told == [(returned, "queued"), (put_off, "deferred"), (returned, "deferred"), ("mail_sent", "sent")]


async def _is(condition: Callable[[], bool]) -> bool:
    return condition()


async def _is_tried(sent: Any, number: int) -> bool:
    mails = await sent.all()
    return len(mails) == number and all(mail.attempts >= 1 for mail in mails)
