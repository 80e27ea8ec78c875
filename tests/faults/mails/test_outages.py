"""What mails rest on goes away: the broker, the database, Mailer itself, between any two steps."""

from functools import partial

import pytest

from tests.support.mail.smtp_faults import DOT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene, on_parts
from tests.support.system.waiting import until

REAL = pytest.mark.parametrize(
    "shared", [pytest.param(on_parts, id="real parts", marks=pytest.mark.connected)], indirect=True
)
"""Files beside Mailer are not away by themselves."""


@pytest.mark.parametrize("kind", [AGAIN, ONCE])
def test_killed_after_the_row_and_before_the_acknowledgement_the_message_makes_no_second_mail(
    scene: MailScene, kind: str
) -> None:
    scene.mailer.arm("mailer.stored=kill")
    scene.request(kind)
    assert scene.mailer.wait() == -9
    scene.mailer.start()
    found = scene.at_rest()
    assert (found.states, list(found.counts.values())) == ({"sent": 1}, [1])


def test_killed_over_and_over_under_load_nothing_is_lost_and_nothing_silently_doubled(scene: MailScene) -> None:
    scene.faults(Fault(DOT, "hang", seconds=0.02))
    for _ in range(4):
        wanted = scene.states()["sent"] + 10
        scene.request(AGAIN, 40)
        scene.request(ONCE, 40)
        until(partial(_are_sent, scene, wanted), "some more are sent", 60)
        scene.mailer.kill()
        scene.mailer.start()
    found = scene.at_rest(within_s=240)
    assert found.states.keys() <= {"sent", "ambiguous"}
    assert found.states["sent"] >= 300


def _are_sent(scene: MailScene, wanted: int) -> bool:
    return scene.states()["sent"] > wanted


@REAL
def test_where_the_broker_is_away_mails_asked_for_by_http_go_out(scene: MailScene) -> None:
    assert scene.broker is not None
    scene.broker.refuses = True
    scene.broker.cut()
    for number in range(5):
        assert scene.post(scene.body(ONCE, f"u{number}@example.org")).status_code == 202
    assert scene.at_rest().states == {"sent": 5}
    scene.broker.heal()
    scene.request(ONCE, 5)
    assert scene.at_rest().states == {"sent": 10}


@REAL
def test_where_the_database_is_away_nothing_is_accepted_and_requests_wait_in_the_queue(scene: MailScene) -> None:
    assert scene.database is not None
    scene.database.refuses = True
    scene.database.cut()
    assert scene.post(scene.body(ONCE, "u@example.org")).status_code == 503
    scene.request(AGAIN, 20)
    scene.database.heal()
    found = scene.at_rest()
    assert (found.states, set(found.counts.values())) == ({"sent": 20}, {1})


def test_the_same_request_twice_at_once_is_one_mail(scene: MailScene) -> None:
    body = scene.body(ONCE, "u@example.org")
    answers = [scene.post(body, "one-key") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = scene.post(scene.body(ONCE, "v@example.org"), "one-key")
    assert other.status_code == 409
    assert scene.at_rest().states == {"sent": 1}
