"""F25 for mail: a sender hangs in the middle of a mail, and the clock of another says that its lease is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.purchases.clocks.clocks import HOUR_S, Clock
from tests.support.mail.smtp_faults import DOT, Fault
from tests.support.system.mailing import AGAIN, ONCE, MailScene, on_parts
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected
PATIENT = {"MAILER_SMTP_ANSWER_S": "20"}
"""The provider's answer comes in time, unless one hangs."""


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailScene]:
    with on_parts(tmp_path_factory.mktemp("mail")) as scene:
        yield scene


@pytest.mark.parametrize(("kind", "meanwhile"), [(ONCE, "ambiguous"), (AGAIN, "sending")])
def test_f25_a_mail_whose_sender_hangs_beyond_its_lease_comes_twice_only_where_it_may(
    mails: MailScene, kind: str, meanwhile: str, tmp_path: Path
) -> None:
    mails.heal()
    mails.mailer.stop()
    mails.mailer.start(**PATIENT)
    mails.faults(Fault(DOT, "hang", seconds=5, takes=True, times=2))
    (key,) = mails.request(kind)
    until(lambda: mails.books().taken, "a mail that the provider has, and does not answer yet")
    mails.mailer.pause()
    ahead = Clock(tmp_path / "ahead")
    ahead.put(HOUR_S)
    mails.more(1, **PATIENT, **ahead.environ)
    until(lambda: [one.state for one in mails.rows() if one.ambiguities] == [meanwhile], meanwhile)
    mails.mailer.go_on()
    found = mails.at_rest()
    row = mails.reaches(key, "ambiguous" if kind == ONCE else "sent")
    assert (row.ambiguities, found.counts[row.id]) == (1, 1 if kind == ONCE else 2)
