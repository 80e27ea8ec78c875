"""Nothing that anybody writes anywhere becomes a header, a recipient, or a part of the message."""

import re
import shutil
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extracted.mailer.addresses import canonical
from extracted.mailer.ports import Rendered, RequestInvalid
from extracted.mailer.templating.render import message
from extracted.mailer.templating.templates import TEMPLATES, Templates
from extracted.mailer.templating.variables import Links
from tests.unit.extracted.mailer.test_addresses import ADDRESSES, QUOTED

SENDER = "noreply@polycode.do-2021.fr"
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "X-PolyCode-Mail-Id", "Auto-Submitted"),
    *("MIME-Version", "Content-Type"),
]
INJECTION = "x\r\nBcc: eve@example.org\r\n\r\n--=_0197-a\r\nContent-Type: text/html\r\n\r\n<b>"
ENCODABLE = st.characters(codec="utf-8")
TEXTS = (
    st.text(ENCODABLE) | st.text('\r\n\t\u2028\x85\x00 :,;<>@"()\\=?é', max_size=100) | st.text("aé ,", min_size=300)
)


def written(
    *, subject: str = "Hi", body: str = "Hi", name: str = "PolyCode", recipient: str = "ada@example.org"
) -> bytes:
    return message(
        Rendered(subject, body, body),
        sender_name=name,
        sender=SENDER,
        recipient=recipient,
        message_id="<0197-a@polycode.do-2021.fr>",
        date=datetime(2026, 11, 26, tzinfo=UTC),
        mail_id="0197-a",
    )


def read(content: bytes) -> Message:
    """As strict as SMTP is: lines that end by CRLF, of at most 998 octets (RFC 5321 section 4.5.3.1.6)."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    mail = message_from_bytes(content)
    assert mail.keys() == HEADERS
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    return mail


def decoded(mail: Message, name: str) -> str:
    return str(make_header(decode_header(mail[name])))


@given(TEXTS)
@example(INJECTION)
@example("=?utf-8?q?=0ABcc:_eve=40example.org?=")
def test_any_subject_is_one_header_that_says_it(subject: str) -> None:
    mail = read(written(subject=subject))
    assert decoded(mail, "Subject") == " ".join(subject.split())


@given(TEXTS)
@example(INJECTION)
@example("a,b " * 40)
@example('eve@example.org, "x')
@example("Eve <eve@example.org>,")
@example(".")
def test_any_name_of_the_sender_leaves_one_sender(name: str) -> None:
    content = written(name=name)
    said = decoded(read(content), "From")
    assert said == f"{' '.join(name.split())} <{SENDER}>".strip()
    addresses = message_from_bytes(content, policy=policy.default)["From"].addresses
    assert [address.addr_spec for address in addresses] == [SENDER]


@given(ADDRESSES | QUOTED | st.text('a@."\\ \r\n,<>[]é'))
@example('"a@b, <c>\\"\\\\"@example.org')
@example("a" * 64 + "@" + ".".join(["b" * 37] * 5))
@example("ada@example.org\r\nBcc: eve@example.org")
@example("jörg@example.org")
def test_any_recipient_is_one_recipient_or_refused(text: str) -> None:
    try:
        recipient = canonical(text)
    except RequestInvalid:
        return
    content = written(recipient=recipient)
    assert f"\r\nTo: {recipient}\r\n".encode() in content
    read(content)
    (address,) = message_from_bytes(content, policy=policy.default)["To"].addresses
    assert address.domain == recipient.rpartition("@")[2]


@given(TEXTS)
@example(INJECTION)
@example("--=_0197-a--\n")
@example(".\r\n.")
def test_any_body_stays_within_its_part(body: str) -> None:
    mail = read(written(body=f"{body}\nend"))
    for part in mail.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            assert content.decode().splitlines() == f"{body}\nend".splitlines()


@pytest.mark.parametrize("field", ["recipient", "sender", "message_id", "mail_id"])
@pytest.mark.parametrize(
    "value", ["a@example.org\r\nBcc: eve@example.org", "a@example.org\nX: y", "a@example.org\r", "a\x00"]
)
def test_what_should_have_been_checked_before_is_not_written(field: str, value: str) -> None:
    given_values = {"sender": SENDER, "recipient": "a@b", "message_id": "<a@b>", "mail_id": "a"} | {field: value}
    with pytest.raises(ValueError, match="line break or a control character"):
        message(Rendered("Hi", "Hi", "Hi"), sender_name="x", date=datetime(2026, 11, 26, tzinfo=UTC), **given_values)


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Templates with a kind whose subject has a variable."""
    folder = tmp_path_factory.mktemp("naming") / "templates"
    shutil.copytree(TEMPLATES, folder)
    _put_team_into_subject(folder / "team_left/en.jinja")
    return Templates(Links("https://polycode.do-2021.fr"), folder)


def _put_team_into_subject(path: Path) -> None:
    path.write_text(path.read_text().replace("Removed from a team", "Removed from {{ team }}"))


@given(team=st.text(), username=st.text())
@example(team=INJECTION, username="ada")
@example(team="Compilers", username=INJECTION)
@example(team="<b>&amp;", username="é" * 255)
@example(team="é" * 255, username="a")
def test_any_variable_is_refused_or_said_and_nothing_else(naming: Templates, team: str, username: str) -> None:
    try:
        _, variables, _ = naming.checked("team_left", "en", {"team": team, "username": username})
    except RequestInvalid:
        return
    rendered = naming.rendered("team_left", "en", variables)
    mail = read(written(subject=rendered.subject, body=rendered.text))
    assert decoded(mail, "Subject") == " ".join(f"Removed from {team}".split())
    assert f"Hi {username}," in rendered.text.splitlines()
