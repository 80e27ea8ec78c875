"""What Account asks Mailer for is what Mailer takes, whatever users are called."""

from hypothesis import given
from hypothesis import strategies as st

from extracted.account.domain import Compat
from extracted.account.mail_requests import domain as mails
from extracted.account.mail_requests.domain import Addressee
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links

TEMPLATES = Templates(Links("https://polycode.example"))
NAMES = st.text(st.characters(), min_size=3, max_size=20)


@given(NAMES, NAMES)
def test_every_name_that_the_monolith_takes_can_stand_in_a_mail(username: str, team: str) -> None:
    to = Addressee(username, "ada@example.org", "fr")
    told = {"inviter": username, "team": team}
    asked = [
        mails.verification("a-token", Compat.STRICT)(to),
        mails.of_kind("team_joined", Compat.IMPROVED)(to, told),
        mails.of_kind("team_left", Compat.STRICT)(to, {"team": team}),
        mails.of_kind("team_dissolved", Compat.IMPROVED)(to, {"team": team}),
    ]
    assert [TEMPLATES.checked(one.kind, one.locale, one.variables)[0] for one in asked] == ["en", "fr", "en", "fr"]


def test_a_name_of_two_lines_is_one_in_a_mail() -> None:
    asked = mails.verification("t", Compat.STRICT)(Addressee("ada\nBcc: x", "ada@example.org", None))
    assert asked.variables["username"] == "ada Bcc: x"
