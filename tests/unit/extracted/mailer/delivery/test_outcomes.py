"""What a provider's answer makes of a mail: a table of cases, with no server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extracted.mailer.delivery.outcomes import (
    Ambiguous,
    Deferred,
    DeliveryRetryPolicy,
    Failed,
    Returned,
    Verdict,
    decide,
)
from extracted.mailer.domain import Claimed, DeliveryOutcome, Policy, Rejected, Templated, Unanswered, Unreachable
from tests.support.effort import examples

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def claimed(attempt: int = 1, **changes: object) -> Claimed:
    content = Templated("verify_account", "en", {})
    mail = Claimed("m1", "c1", attempt, "ada@mail.test", content, Policy.AT_LEAST_ONCE, NOW)
    return replace(mail, **changes)  # type: ignore[arg-type]  # each test names its own


def decided(outcome: DeliveryOutcome, mail: Claimed | None = None, *, chance: float = 0.0) -> Verdict:
    return decide(outcome, mail or claimed(), DeliveryRetryPolicy(), chance, NOW)


def waits(verdict: Verdict) -> timedelta:
    assert isinstance(verdict, Deferred | Returned | Ambiguous)
    assert verdict.due_at is not None
    return verdict.due_at - NOW


def busy(text: str = "4.3.0 busy") -> Rejected:
    return Rejected(451, text, "RCPT")


@pytest.mark.parametrize(
    ("text", "attempt", "least"),
    [
        *(("4.3.0 busy", n, k * MINUTE) for n, k in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (17, 60))),
        *(
            (names_no_delay, 1, MINUTE)
            for names_no_delay in (
                "limit of 100 mails per 60 seconds", "in 12 months", "for 300 secrets", "in seconds", "in -5 seconds",
                "in 10 stones",
            )
        ),
    ],
)  # fmt: skip
def test_each_4xx_doubles_the_wait_up_to_an_hour(text: str, attempt: int, least: timedelta) -> None:
    """Half of it for sure, the other half by chance."""
    assert waits(decided(busy(text), claimed(attempt))) == least / 2
    assert waits(decided(busy(text), claimed(attempt), chance=0.999)) == pytest.approx(least, rel=0.01)


def test_the_last_attempt_ends_it_with_the_last_reason() -> None:
    verdict = decided(busy(), claimed(18))
    assert verdict == Failed("given up at attempt 18; the last reason: 451 to RCPT: 4.3.0 busy", is_bounce=False)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
         ("4.7.1 Greylisted, please try again in 300 seconds", timedelta(seconds=300)),
         ("try again in 5 minutes", timedelta(minutes=5)), ("retry after 2 hours", timedelta(hours=2)),
         ("Greylisted for 60s", timedelta(seconds=60)), ("wait at least 10 mins", timedelta(minutes=10)),
         ("TRY AGAIN IN ABOUT 1 HOUR", timedelta(hours=1)), ("try again in 0 seconds", timedelta(seconds=1)),
         ("try again in 9999999 hours", timedelta(hours=24)), ("try again in 30 hours", timedelta(hours=24)),
    ],
)  # fmt: skip
def test_a_delay_that_the_reply_names_is_honoured_within_bounds(text: str, wanted: timedelta) -> None:
    assert waits(decided(busy(text))) == wanted
    assert wanted <= waits(decided(busy(text), chance=0.999)) <= min(wanted * 1.1, timedelta(hours=24))


@pytest.mark.parametrize(
    "refused",
    [
         Rejected(452, "4.5.3 too much", "RCPT"),
         Rejected(454, "Throttling failure: maximum sending rate exceeded", "."), Rejected(421, "4.7.0 closing", "."),
         Rejected(450, "rate limit reached", "MAIL"), Rejected(451, "too many messages", "."),
    ],
)  # fmt: skip
def test_a_quota_waits_longer_and_never_ends_a_mail_by_attempts(refused: Rejected) -> None:
    assert waits(decided(refused)) == 5 * MINUTE
    assert waits(decided(refused, claimed(3))) == 20 * MINUTE
    assert isinstance(decided(refused, claimed(500)), Deferred)


@pytest.mark.parametrize("outcome", [Rejected(452, "quota", "."), busy(), Unreachable("nobody there")])
def test_after_five_days_the_last_reason_stands(outcome: DeliveryOutcome) -> None:
    old = claimed(2, created_at=NOW - timedelta(days=5))
    verdict = decided(outcome, old)
    assert isinstance(verdict, Failed)
    assert verdict.reason.startswith("given up at attempt 2; the last reason: ")
    assert not isinstance(decided(outcome, claimed(2, created_at=NOW - timedelta(days=4))), Failed)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_a_5xx_fails_at_once_with_the_whole_text(verb: str) -> None:
    text = "5.7.1 " + "a long explanation " * 40
    verdict = decided(Rejected(554, text, verb))
    assert isinstance(verdict, Failed)
    assert verdict.reason.endswith(text)
    assert not verdict.is_bounce


@pytest.mark.parametrize(
    ("refused", "is_bounce"),
    [
        (Rejected(550, "5.1.1 no such user", "RCPT"), True),
        (Rejected(550, "5.1.10 null MX", "RCPT"), True),
        (Rejected(550, "#5.1.0 Address rejected", "RCPT"), True),
        (Rejected(553, "5.1.3 bad address", "RCPT"), True),
        (Rejected(551, "user not local", "RCPT"), True),
        (Rejected(550, "No such user here", "RCPT"), True),
        (Rejected(550, "Recipient ada@mail.test does not exist", "RCPT"), True),
        (Rejected(550, "5.1.1 no such user", "."), False),
        (Rejected(550, "5.1.1 no such user", "MAIL"), False),
        (Rejected(550, "5.1.7 sender address rejected", "RCPT"), False),
        (Rejected(550, "5.1.8 sender domain not found", "RCPT"), False),
        (Rejected(550, "5.7.1 unknown user agent: spam", "RCPT"), False),
        (Rejected(550, "relaying denied", "RCPT"), False),
        (Rejected(550, "blocked by spam filter", "RCPT"), False),
        (Rejected(550, "15.1.1.5 is on a block list", "RCPT"), False),
        (Rejected(553, "sorry, relaying not allowed", "RCPT"), False),
        (Rejected(552, "5.2.2 mailbox full", "RCPT"), False),
        (Rejected(554, "5.1.1 no such user", "RCPT"), False),
    ],
)
def test_only_a_mailbox_that_is_refused_counts_against_its_address(refused: Rejected, is_bounce: bool) -> None:
    verdict = decided(refused)
    assert isinstance(verdict, Failed)
    assert verdict.is_bounce is is_bounce


def test_no_answer_is_sent_again_where_that_is_allowed_and_later_each_time_and_three_times_at_most() -> None:
    silent = Unanswered("it hung up")
    assert [waits(decided(silent, claimed(ambiguities=n))) for n in range(3)] == [15 * MINUTE, 30 * MINUTE, HOUR]
    assert decided(silent, claimed(ambiguities=3)) == Ambiguous("it hung up", None)
    assert decided(silent, claimed(policy=Policy.AT_MOST_ONCE)) == Ambiguous("it hung up", None)


def test_an_absent_provider_costs_no_attempt_and_is_asked_ever_more_rarely() -> None:
    away = Unreachable("nobody there")
    verdict = decided(away, claimed(18))
    assert isinstance(verdict, Returned)
    assert verdict.reason == "nobody there"
    assert waits(verdict) == timedelta(seconds=30)
    assert waits(decided(away, claimed(created_at=NOW - HOUR))) == 6 * MINUTE
    assert waits(decided(away, claimed(created_at=NOW - timedelta(days=2)))) == HOUR


@given(
    st.sampled_from([Rejected(451, "x", "."), Rejected(452, "x", "."), Unreachable("x"), Unanswered("x")]),
    st.integers(1, 10_000),
    st.integers(0, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.timedeltas(timedelta(0), timedelta(days=3000)),
)
@settings(max_examples=examples(400))
def test_every_mail_ends_or_waits_between_a_second_and_two_hours(
    outcome: DeliveryOutcome, attempt: int, ambiguities: int, chance: float, age: timedelta
) -> None:
    verdict = decided(outcome, claimed(attempt, ambiguities=ambiguities, created_at=NOW - age), chance=chance)
    if isinstance(verdict, Deferred | Returned) or (isinstance(verdict, Ambiguous) and verdict.due_at):
        assert timedelta(seconds=1) <= waits(verdict) <= 2 * HOUR
