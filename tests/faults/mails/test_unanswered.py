"""F30 and F31: the provider has it all and says nothing, or says it to nobody."""

import pytest

from tests.support.mail.smtp_faults import DOT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene

DROPS = Fault(DOT, "drop", times=1)
REFUSES_AND_DROPS = Fault(DOT, "drop", takes=False, times=1)
TOO_LATE = Fault(DOT, "hang", seconds=4, times=1)


@pytest.mark.parametrize("fault", [DROPS, REFUSES_AND_DROPS, TOO_LATE], ids=["taken", "not taken", "answered too late"])
def test_f30_without_an_answer_a_kind_that_may_come_twice_is_sent_again(scene: MailScene, fault: Fault) -> None:
    scene.faults(fault)
    (key,) = scene.request(AGAIN)
    found = scene.at_rest()
    row = scene.reaches(key, "sent")
    assert row.ambiguities == 1
    assert found.counts[row.id] == 1 + fault.keeps


@pytest.mark.parametrize("fault", [DROPS, REFUSES_AND_DROPS, TOO_LATE], ids=["taken", "not taken", "answered too late"])
def test_f30_without_an_answer_a_kind_that_comes_once_waits_for_a_human(scene: MailScene, fault: Fault) -> None:
    scene.faults(fault)
    (key,) = scene.request(ONCE)
    row = scene.reaches(key, "ambiguous")
    scene.request(ONCE, 5)
    found = scene.at_rest()
    assert found.states == {"ambiguous": 1, "sent": 5}
    assert found.counts[row.id] == fault.keeps
    decided = scene.ask("POST", f"/mails/{row.id}/decide", {"outcome": "sent", "why": "the provider's log has it"})
    assert decided.status_code == 200, decided.text
    assert scene.reaches(key, "sent").ambiguities == 1


KILLED = (("claimed", ONCE, "ambiguous", 0), ("accepted", ONCE, "ambiguous", 1), ("accepted", AGAIN, "sent", 2))
"""Where, the kind, the state that it reaches, how often the provider has it. What is sent again is the last one."""


def test_f30_killed_between_claim_and_commit(scene: MailScene) -> None:
    """A row says `sending` from its claim on: nobody can tell how far the dead one had come. All leases end at once."""
    keys = []
    for point, kind, _, _ in KILLED:
        scene.mailer.arm(f"mailer.{point}=kill")
        keys += scene.request(kind)
        assert scene.mailer.wait() == -9
        scene.mailer.start()
    rows = [scene.reaches(key, state, within_s=120) for key, (_, _, state, _) in zip(keys, KILLED, strict=True)]
    found = scene.at_rest()
    assert [row.ambiguities for row in rows] == [1, 1, 1]
    assert [found.counts[row.id] for row in rows] == [count for *_, count in KILLED]


def test_f31_where_each_second_mail_hangs_the_others_go_on(scene: MailScene) -> None:
    """Eight senders, seven of them wait for an answer: one is enough for the rest."""
    scene.mailer.stop()
    scene.mailer.start(MAILER_SENDERS="8", MAILER_SMTP_ANSWER_S="15")
    scene.faults(Fault(DOT, "hang", seconds=60, takes=True, times=7))
    scene.request(ONCE, 47)
    assert scene.states()["sent"] < 47
    found = scene.at_rest()
    assert found.states == {"sent": 40, "ambiguous": 7}
    last_sent = max(one.at for one in found.taken)
    first = min(one.at for one in found.taken)
    assert last_sent - first < 15, "the others waited for those that hang"
