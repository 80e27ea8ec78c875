"""F29: the provider refuses, at each verb, for now or for good; or cannot be talked to at all."""

import pytest

from tests.support.mail.smtp_faults import DATA, DOT, EHLO, GREETING, MAIL, RCPT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene

VERBS = (MAIL, RCPT, DATA, DOT)


@pytest.mark.parametrize("verb", VERBS)
def test_f29_refused_for_now_it_is_tried_again(scene: MailScene, verb: str) -> None:
    scene.faults(Fault(verb, code=451, text="4.3.0 not now", times=2))
    (key,) = scene.request(ONCE)
    found = scene.at_rest()
    row = scene.reaches(key, "sent")
    assert (row.attempts, found.counts[row.id]) == (3, 1)


@pytest.mark.parametrize("verb", VERBS)
def test_f29_refused_for_good_it_has_failed_with_the_whole_reason(scene: MailScene, verb: str) -> None:
    scene.faults(Fault(verb, code=554, text="5.7.1 never\nand here is why: policy 42", times=1))
    keys = scene.request(AGAIN)
    row = scene.reaches(keys[0], "failed")
    assert row.reason is not None
    assert "554" in row.reason
    assert "policy 42" in row.reason
    scene.request(ONCE, 3)
    assert scene.at_rest().states == {"failed": 1, "sent": 3}


def test_f29_a_421_in_mid_session_costs_no_attempt_and_no_mail(scene: MailScene) -> None:
    scene.faults(Fault(MAIL, code=421, text="4.3.2 closing", drops=True, times=3))
    scene.request(ONCE, 10)
    found = scene.at_rest()
    assert found.states == {"sent": 10}
    assert max(row.attempts for row in found.rows) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(GREETING, "hang", times=3),
        Fault(GREETING, code=554, text="no service", drops=True, times=3),
        Fault(GREETING, "drop", times=3),
        Fault(EHLO, "drop", times=3),
    ],
    ids=["greeting never", "greeting 554", "dropped", "dropped at EHLO"],
)
def test_f29_a_provider_that_lets_nobody_in_costs_no_attempt(scene: MailScene, fault: Fault) -> None:
    scene.faults(fault)
    scene.request(AGAIN, 5)
    found = scene.at_rest()
    assert found.states == {"sent": 5}
    assert {row.attempts for row in found.rows} == {1}


def test_f29_a_wrong_password_costs_no_attempt_until_it_is_right(scene: MailScene) -> None:
    scene.mailer.stop()
    scene.mailer.start(MAILER_SMTP_USER="polycode", MAILER_SMTP_PASSWORD="not-the-one")
    (key,) = scene.request(AGAIN)
    row = scene.told(key)
    assert (row.state, row.attempts) == ("queued", 0)
    assert "not-the-one" not in f"{row.reason} {scene.mailer.said()}"
    scene.mailer.stop()
    scene.mailer.start()
    assert scene.at_rest().states == {"sent": 1}


def test_f29_without_the_encryption_that_is_wanted_nothing_is_said(scene: MailScene) -> None:
    scene.mailer.stop()
    scene.mailer.start(MAILER_SMTP_TLS="starttls")
    (key,) = scene.request(AGAIN)
    row = scene.told(key)
    assert (row.state, row.attempts, scene.books().taken) == ("queued", 0, [])
    scene.mailer.stop()
    scene.mailer.start()
    assert scene.at_rest().states == {"sent": 1}
