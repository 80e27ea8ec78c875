"""What a mail looks like as a message: text first, then the HTML, the same in both, and the same bytes each time."""

import re
import shutil
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extracted.mailer.addresses import canonical
from extracted.mailer.ports import Rendered, RequestInvalid
from extracted.mailer.templating.render import message
from extracted.mailer.templating.templates import TEMPLATES as FOLDER
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links
from tests.recordings.mail_sink import read_html
from tests.unit.extracted.mailer.test_addresses import ADDRESSES, QUOTED

TEMPLATES = Templates(Links("https://polycode.do-2021.fr"))
SENDER = "noreply@polycode.do-2021.fr"
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "X-PolyCode-Mail-Id", "Auto-Submitted"),
    *("MIME-Version", "Content-Type"),
]
EVERY = [(kind, locale) for kind in TEMPLATES.names() for locale in TEMPLATES.locales(kind)]


def written(rendered: Rendered, *, name: str = "PolyCode", recipient: str = "ada@example.org") -> bytes:
    return message(
        rendered,
        sender_name=name,
        sender=SENDER,
        recipient=recipient,
        message_id="<0197-a@polycode.do-2021.fr>",
        date=datetime(2026, 11, 26, 5, 30, tzinfo=UTC),
        mail_id="0197-a",
    )


def read(content: bytes) -> EmailMessage:
    """As strict as SMTP is: lines that end by CRLF, of at most 998 octets (RFC 5321 section 4.5.3.1.6)."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail.keys() == HEADERS
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    return mail


def bodies(content: bytes) -> tuple[str, str]:
    """Text and HTML, in that order, and nothing else."""
    text, html = read(content).iter_parts()
    assert (text["Content-Transfer-Encoding"], html["Content-Transfer-Encoding"]) == ("quoted-printable",) * 2
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def decoded(content: bytes, name: str) -> str:
    return str(make_header(decode_header(message_from_bytes(content)[name])))


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_a_mail_says_the_same_in_text_and_html_in_its_language_with_no_markup_left(kind: str, locale: str) -> None:
    rendered = TEMPLATES.preview(kind, locale)
    assert bodies(written(rendered)) == (rendered.text, rendered.html)
    (preheader, *shown), links = read_html(rendered.html)
    said = [" ".join(line.split()) for line in rendered.text.splitlines() if line]
    assert said == shown
    assert preheader in said
    assert set(links) == {line for line in said if line.startswith("https://")}
    for text in (rendered.subject, rendered.text, rendered.html):
        assert not re.search(r"\{[{%#]|[}%#]\}|None|Undefined", text)
        assert text.strip()
    for text in (rendered.subject, rendered.text):
        assert not re.search(r"<|>|&\w+;", text)
    assert "\n\n\n" not in rendered.text
    assert f'<html lang="{locale}">' in rendered.html
    assert f"<title>{rendered.subject}</title>" in rendered.html
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", rendered.html)
    tables = [rendered.html.count(f"<table{rest}") for rest in ("", ' role="presentation"', ' class="card" role=')]
    assert tables[0] == tables[1] + tables[2]


@pytest.mark.parametrize(
    "name",
    [
        "Zoë", "李雷", "<b>Bobby</b>", "a \"quoted\" & 'single'", "{{ links }}", "=_0197-a", "👩‍🚀", "x" * 255,
        "ö" * 255,
    ],
)  # fmt: skip
def test_names_arrive_as_they_are_and_bring_no_markup(name: str) -> None:
    variables = {"username": name, "inviter": name, "team": name}
    text, html = bodies(written(TEMPLATES.rendered("team_joined", "en", variables)))
    lines, links = read_html(html)
    said = f"{name} added you in {name} team."
    assert (lines[0], lines[2], lines[3]) == (said, f"Hi {name},", said)
    assert said in text
    assert links == ["https://polycode.do-2021.fr/teams"] * 2
    assert "<b>" not in html


def test_the_headers_are_these_and_ascii_but_for_another_address() -> None:
    head, _, _ = written(TEMPLATES.preview("verify_account", "en")).partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "From: PolyCode <noreply@polycode.do-2021.fr>",
        "To: ada@example.org",
        "Subject: Verify your account",
        "Date: Thu, 26 Nov 2026 05:30:00 +0000",
        "Message-ID: <0197-a@polycode.do-2021.fr>",
        "X-PolyCode-Mail-Id: 0197-a",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="=_0197-a"',
    ]
    french = TEMPLATES.preview("team_left", "fr")
    assert written(french).isascii()
    assert "\r\nTo: jörg@example.org\r\n".encode() in written(french, recipient="jörg@example.org")


INJECTION = "x\r\nBcc: eve@example.org\r\n\r\n--=_0197-a\r\nContent-Type: text/html\r\n\r\n<b>"
ENCODABLE = st.characters(codec="utf-8")
TEXTS = (
    st.text(ENCODABLE) | st.text('\r\n\t\u2028\x85\x00 :,;<>@"()\\=?é', max_size=100) | st.text("aé ,", min_size=300)
)


@given(TEXTS)
@example(INJECTION)
@example("=?utf-8?q?=0ABcc:_eve=40example.org?=")
def test_any_subject_is_one_header_that_says_it(subject: str) -> None:
    content = written(Rendered(subject, "Hi", "Hi"))
    read(content)
    assert decoded(content, "Subject") == " ".join(subject.split())


@given(TEXTS)
@example(INJECTION)
@example("a,b " * 40)
@example('eve@example.org, "x')
@example("Eve <eve@example.org>,")
@example(".")
def test_any_name_of_the_sender_leaves_one_sender(name: str) -> None:
    content = written(Rendered("Hi", "Hi", "Hi"), name=name)
    said = decoded(content, "From")
    assert said == f"{' '.join(name.split())} <{SENDER}>".strip()
    addresses = read(content)["From"].addresses
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
    content = written(Rendered("Hi", "Hi", "Hi"), recipient=recipient)
    assert f"\r\nTo: {recipient}\r\n".encode() in content
    (address,) = read(content)["To"].addresses
    assert address.domain == recipient.rpartition("@")[2]


@given(TEXTS)
@example(INJECTION)
@example("--=_0197-a--\n")
@example(".\r\n.")
def test_any_body_stays_within_its_part(body: str) -> None:
    said = f"{body}\nend"
    for part in read(written(Rendered("Hi", said, said))).walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            assert content.decode().splitlines() == said.splitlines()


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
    shutil.copytree(FOLDER, folder)
    path = folder / "team_left/en.jinja"
    path.write_text(path.read_text().replace("Removed from a team", "Removed from {{ team }}"))
    return Templates(Links("https://polycode.do-2021.fr"), folder)


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
    content = written(rendered)
    read(content)
    assert decoded(content, "Subject") == " ".join(f"Removed from {team}".split())
    assert f"Hi {username}," in rendered.text.splitlines()
