"""What a mail looks like as a message: text first, then the HTML, the same in both, and the same bytes each time."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from extracted.mailer.ports import Rendered
from extracted.mailer.templating.render import message
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links
from tests.recordings.mail_sink import read_html

TEMPLATES = Templates(Links("https://polycode.do-2021.fr"))
EVERY = [(kind, locale) for kind in TEMPLATES.names() for locale in TEMPLATES.locales(kind)]


def written(rendered: Rendered, recipient: str = "ada@example.org") -> bytes:
    return message(
        rendered,
        sender_name="PolyCode",
        sender="noreply@polycode.do-2021.fr",
        recipient=recipient,
        message_id="<0197-a@polycode.do-2021.fr>",
        date=datetime(2026, 11, 26, 5, 30, tzinfo=UTC),
        mail_id="0197-a",
    )


def parsed(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def bodies(content: bytes) -> tuple[str, str]:
    """Text and HTML, in that order, and nothing else."""
    text, html = parsed(content).iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert (text["Content-Transfer-Encoding"], html["Content-Transfer-Encoding"]) == ("quoted-printable",) * 2
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_a_mail_says_the_same_in_its_text_as_in_its_html(kind: str, locale: str) -> None:
    rendered = TEMPLATES.preview(kind, locale)
    lines, links = read_html(rendered.html)
    said = [" ".join(line.split()) for line in rendered.text.splitlines() if line]
    preheader, *shown = lines
    assert said == shown
    assert preheader in said
    assert set(links) == {line for line in said if line.startswith("https://")}


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_no_markup_of_a_template_is_left(kind: str, locale: str) -> None:
    rendered = TEMPLATES.preview(kind, locale)
    for text in (rendered.subject, rendered.text, rendered.html):
        assert not re.search(r"\{[{%#]|[}%#]\}|None|Undefined", text)
        assert text.strip()
    for text in (rendered.subject, rendered.text):
        assert not re.search(r"<|>|&\w+;", text)
    assert "\n\n\n" not in rendered.text


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_a_page_tells_its_language_and_needs_nothing_from_elsewhere(kind: str, locale: str) -> None:
    html = TEMPLATES.preview(kind, locale).html
    assert f'<html lang="{locale}">' in html
    assert f"<title>{TEMPLATES.preview(kind, locale).subject}</title>" in html
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", html)
    assert html.count("<table") == html.count('<table role="presentation"') + html.count('<table class="card" role=')


@pytest.mark.parametrize(("kind", "locale"), EVERY)
def test_a_message_carries_the_text_first_and_then_the_html(kind: str, locale: str) -> None:
    rendered = TEMPLATES.preview(kind, locale)
    assert bodies(written(rendered)) == (rendered.text, rendered.html)


def test_a_message_is_the_same_bytes_each_time() -> None:
    rendered = TEMPLATES.preview("verify_account", "fr")
    assert written(rendered) == written(rendered)


def test_the_headers_are_these() -> None:
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


NAMES = [
    "Zoë",
    "李雷",
    "<b>Bobby</b>",
    "a \"quoted\" & 'single'",
    "{{ links }}",
    "=_0197-a",
    "👩‍🚀",
    "x" * 255,
    "ö" * 255,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_arrive_as_they_are_and_bring_no_markup(name: str) -> None:
    variables = {"username": name, "inviter": name, "team": name}
    rendered = TEMPLATES.rendered("team_joined", "en", variables)
    text, html = bodies(written(rendered))
    lines, links = read_html(html)
    said = f"{name} added you in {name} team."
    assert (lines[0], lines[2], lines[3]) == (said, f"Hi {name},", said)
    assert said in text
    assert links == ["https://polycode.do-2021.fr/teams"] * 2
    assert "<b>" not in html


def test_a_message_to_an_ascii_address_is_ascii_and_to_another_utf_8() -> None:
    rendered = TEMPLATES.preview("team_left", "fr")
    assert written(rendered).isascii()
    assert "\r\nTo: jörg@example.org\r\n".encode() in written(rendered, "jörg@example.org")
