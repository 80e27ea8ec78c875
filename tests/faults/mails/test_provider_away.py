"""F32: a quota for long, a provider that is away; fresh mail comes first afterwards."""

import pytest

from tests.faults.mails.conftest import ON_REAL_PARTS
from tests.support.mail.smtp_faults import DOT, RCPT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene
from tests.support.system.waiting import until

MANY = 1000


@pytest.mark.parametrize("shared", ON_REAL_PARTS, indirect=True)
def test_f32_a_quota_for_a_thousand_mails_fails_none_of_them(scene: MailScene) -> None:
    scene.faults(Fault(RCPT, code=452, text="4.2.2 daily quota exceeded"))
    scene.request(AGAIN, MANY)
    until(lambda: scene.states()["deferred"] > MANY / 4, "deferred mails", 180)
    assert scene.states()["failed"] == 0
    scene.faults()
    found = scene.at_rest(within_s=270)
    assert found.states == {"sent": MANY}
    assert set(found.counts.values()) == {1}
    assert scene.ask("GET", "/internal/parked").json()["parked"] == []


def test_f32_while_the_provider_is_away_no_attempt_is_burned(scene: MailScene) -> None:
    scene.sink.kill()
    scene.request(AGAIN, 50)
    until(lambda: sum(scene.states().values()) == 50, "all rows")
    until(lambda: scene.ask("GET", "/internal/status").json()["provider"]["isAway"], "an open breaker")
    assert {row.attempts for row in scene.rows() if row.state != "sending"} == {0}  # a probe may be under way
    scene.start_sink()
    found = scene.at_rest()
    assert found.states == {"sent": 50}
    assert {row.attempts for row in found.rows} == {1}


def test_f32_a_fresh_mail_does_not_wait_behind_retries(scene: MailScene) -> None:
    scene.mailer.stop()
    scene.mailer.start(MAILER_SENDERS="2", MAILER_RETRY_QUOTA_S="2")
    scene.faults(Fault(DOT, code=452, text="4.3.1 quota"))
    scene.request(AGAIN, 300)
    until(lambda: scene.states()["deferred"] == 300, "300 retries", 180)
    scene.faults()
    (key,) = scene.request(ONCE)
    until(lambda: scene.row(key) is not None, "its row")
    before = len(scene.books().taken)
    fresh = scene.reaches(key, "sent")
    found = scene.at_rest()
    place = [one.id for one in found.taken].index(fresh.id)
    assert place < before + 10, f"it came after {place} retries, {before} of them before it was there"
