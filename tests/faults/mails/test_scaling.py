"""F27 and F28: more and fewer Mailers under load, a slow provider behind a long backlog."""

import psutil
import pytest

from tests.faults.mails.conftest import ON_REAL_PARTS
from tests.support.mail.smtp_faults import DOT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene
from tests.support.system.waiting import until

BACKLOG = 2000
MOST_GROWTH = 40 * 1024 * 1024


def test_f27_from_one_to_eight_to_none_to_three_under_load_no_mail_comes_twice(scene: MailScene) -> None:
    scene.faults(Fault(DOT, "hang", seconds=0.05))
    scene.request(ONCE, 200)
    scene.more(7)
    scene.request(AGAIN, 200)
    until(lambda: scene.states()["sent"] > 50, "some are sent", 120)
    for process in scene.mailers:
        process.terminate()
    assert [process.wait(120) for process in scene.mailers] == [0] * 8
    scene.request(ONCE, 50)
    del scene.mailers[1:]
    scene.mailer.start()
    scene.more(2)
    found = scene.at_rest(within_s=240)
    assert found.states == {"sent": 450}
    assert set(found.counts.values()) == {1}
    assert {row.ambiguities for row in found.rows} == {0}


def test_f27_sigterm_while_a_mail_is_handed_over_lets_it_end(scene: MailScene) -> None:
    scene.mailer.stop()
    scene.mailer.start(MAILER_SMTP_ANSWER_S="60")
    scene.faults(Fault(DOT, "hang", seconds=3, times=4))
    scene.request(ONCE, 4)
    until(lambda: scene.states()["sending"] == 4, "four under way")
    assert scene.mailer.stop() == 0
    found = scene.books()
    assert (found.states, sorted(found.counts.values())) == ({"sent": 4}, [1, 1, 1, 1])


@pytest.mark.parametrize("shared", ON_REAL_PARTS, indirect=True)
def test_f28_a_long_backlog_before_a_slow_provider_costs_no_memory(scene: MailScene) -> None:
    scene.faults(Fault(DOT, "hang", seconds=0.5))
    assert scene.mailer.running is not None
    process = psutil.Process(scene.mailer.running.pid)
    scene.request(AGAIN, 100)
    until(lambda: scene.states()["sent"] > 4, "a beginning", 180)
    before = process.memory_info().rss
    scene.request(AGAIN, BACKLOG)
    until(lambda: sum(scene.states().values()) == BACKLOG + 100, "all are rows", 360, 0.5)
    assert process.memory_info().rss - before < MOST_GROWTH
    (key,) = scene.request(ONCE)
    until(lambda: scene.row(key) is not None, "its row, with the provider slow", 120)
    scene.faults()
    found = scene.at_rest(within_s=360)
    assert found.states == {"sent": BACKLOG + 101}
    assert set(found.counts.values()) == {1}
