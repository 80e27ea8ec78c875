"""Mail in by SMTP: what a client that behaves sees, and what is kept of its mail."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from examples.monolith.validation.email_addresses import is_email
from extracted.mailer.addresses import canonical
from extracted.mailer.domain import OutgoingMessage
from extracted.mailer.smtp_in import paths
from extracted.mailer.smtp_in.endpoint import IngressLimits
from extracted.mailer.smtp_in.submission import message_id
from extracted.mailer.smtp_out.text import unsendable
from tests.unit.extracted.mailer.smtp_in.ingress_client import MESSAGE, Listened, listened

SIZE = 4096


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Listened]:
    async with listened(tmp_path, IngressLimits(size=SIZE, recipients=3)) as running:
        yield running


async def test_a_mail_is_kept_byte_for_byte_with_its_envelope(ingress: Listened) -> None:
    content = b"Message-ID: <1@x>\r\nX: \xff\x00\t\r\n\r\n\r\nline \r\n..\r\n.dot\r\n" + b"y" * 998 + b"\r\n\r\n"
    wire = await ingress.greeted()
    reply = await wire.mail(content.replace(b"\r\n.", b"\r\n.."), "B@Example.ORG", sender="bounces@example.org")
    [row] = await ingress.shelf.kept.rows(ingress.shelf.kept.tables.mails)
    assert reply == f"250 2.0.0 Kept as {row['id']}"
    assert (row["recipient"], row["sender"], row["kind"]) == ("B@example.org", "bounces@example.org", "raw")
    assert (row["policy"], row["state"], row["message_id"]) == ("at_least_once", "queued", "<1@x>")
    assert await ingress.shelf.contents() == [content]


async def test_each_recipient_has_a_row_and_the_content_is_kept_once_also_where_nobody_sends(ingress: Listened) -> None:
    wire = await ingress.greeted()
    with capture_logs() as lines:
        reply = await wire.mail(MESSAGE, "c@example.org", "b@example.org", "c@EXAMPLE.org", sender="")
    assert reply.startswith("250 ")
    assert [line["recipients"] for line in lines] == [2]
    assert await ingress.shelf.recipients() == ["b@example.org", "c@example.org"]
    assert await ingress.shelf.senders() == ["", ""]
    assert await ingress.shelf.contents() == [MESSAGE]


async def test_the_libraries_of_others_get_their_mail_in(ingress: Listened) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "é"
    message["Message-ID"] = "<2@example.org>"
    message.set_content("<p>Grüße\n.\n..\nend</p>", subtype="html", cte="quoted-printable")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=ingress.port)

    def by_smtplib() -> None:
        with smtplib.SMTP("127.0.0.1", ingress.port, timeout=10) as client:
            client.send_message(message, to_addrs=["c@example.org"])

    await asyncio.to_thread(by_smtplib)
    written = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    assert await ingress.shelf.contents() == [written, written]
    assert await ingress.shelf.recipients() == ["b@example.org", "c@example.org"]


async def test_it_offers_what_it_can_do_and_no_more(ingress: Listened) -> None:
    wire = await ingress.connect()
    assert await wire.reply() == "220 mailer ESMTP"
    assert await wire.say("EHLO x") == f"250-mailer|250-SIZE {SIZE}|250-8BITMIME|250 SMTPUTF8"
    assert await wire.say("HELO x") == "250 mailer"
    assert await wire.say("VRFY admin") == "252 2.5.2 VRFY does not check users; send the mail"
    assert (await wire.say("EXPN all")).startswith("502 ")
    assert (await wire.say("HELP")).startswith("214 ")
    for unknown in ("AUTH PLAIN AGEAYg==", "STARTTLS", "BDAT 3 LAST"):
        assert (await wire.say(unknown)).startswith("500 ")


async def test_commands_out_of_order_are_refused_and_the_session_goes_on(ingress: Listened) -> None:
    wire = await ingress.connect()
    await wire.reply()
    for before_hello in ("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "DATA"):
        assert (await wire.say(before_hello)).startswith("503 ")
    await wire.say("EHLO x")
    for early in ("RCPT TO:<b@example.org>", "DATA"):
        assert (await wire.say(early)).startswith("503 ")
    await wire.enveloped()
    assert await wire.say("MAIL FROM:<c@example.org>") == "503 Error: nested MAIL command"
    assert await wire.say("RSET") == "250 OK"
    assert (await wire.say("DATA")).startswith("503 ")
    assert (await wire.mail()).startswith("250 ")


@pytest.mark.parametrize(
    "address",
    [
        "", "b", "b@example.org\t", "b\x00@example.org", "b\x85@example.org", "<b@example.org>",
        "b@example.org>,<c@example.org", "@" * 401, "x" * 1100,
    ],
)  # fmt: skip
async def test_what_cannot_be_an_address_is_no_recipient(ingress: Listened, address: str) -> None:
    wire = await ingress.greeted()
    await wire.say("MAIL FROM:<a@example.org>")
    assert (await wire.say(f"RCPT TO:<{address}>"))[:3] in ("553", "500", "555")
    assert (await wire.say("DATA")).startswith("503 ")


@pytest.mark.parametrize(
    "address",
    [
        "@example.org", "b@", "b@[127.0.0.1]", "a b@example.org", "b@ex ample.org", "a" * 65 + "@example.org", '"@b.co',
        "@relay.example.org:b@example.org", "b@example..org", "a\u200bb@example.org", '"a\\"b @example.org',
    ],
)  # fmt: skip
async def test_what_the_monolith_may_take_for_an_address_is_kept_and_fails_later(
    ingress: Listened, address: str
) -> None:
    """A refusal would end its process (C11)."""
    wire = await ingress.greeted()
    await wire.say("MAIL FROM:<a@example.org> SMTPUTF8")
    assert await wire.say(f"RCPT TO:<{address}>") == "250 2.1.5 OK"
    assert (await wire.data()).startswith("250 ")
    assert await ingress.shelf.recipients() == [address]
    refused = unsendable(OutgoingMessage("1", "a@example.org", address, MESSAGE))
    assert refused is not None
    assert (refused.code, refused.verb) == (553, "RCPT")


NO_PARAMETERS = "SIZE=x", "SIZE=²", "SIZE", "BODY=BINARYMIME", "FOO=1", "AUTH=<>", "=", "SMTPUTF8=1"
NO_SENDERS = "FROM:<a b>", "FROM:a@example.org", "FROM:<a@>", "", "TO:<a@b>"


@pytest.mark.parametrize("rest", [*NO_SENDERS, *(f"FROM:<a@example.org> {one}" for one in NO_PARAMETERS)])
async def test_what_is_no_address_or_parameter_is_no_sender(ingress: Listened, rest: str) -> None:
    wire = await ingress.greeted()
    assert (await wire.say(f"MAIL {rest}".strip()))[:3] in ("501", "553", "555")
    assert (await wire.say("RCPT TO:<b@example.org>")).startswith("503 ")


async def test_too_many_recipients_are_refused_one_by_one(ingress: Listened) -> None:
    wire = await (await ingress.greeted()).enveloped(*(f"{n}@example.org" for n in range(3)))
    assert await wire.say("RCPT TO:<4@example.org>") == "452 4.5.3 Too many recipients"
    assert (await wire.data()).startswith("250 ")
    assert len(await ingress.shelf.recipients()) == 3


def lined(size: int) -> bytes:
    """A message of this many bytes."""
    return (b"x" * 98 + b"\r\n") * (size // 100) + b"y" * (size % 100 - 2) + b"\r\n"


async def test_a_message_may_be_as_large_as_the_limit_and_a_larger_one_is_refused_after_its_end(
    ingress: Listened,
) -> None:
    wire = await ingress.greeted()
    assert (await wire.say(f"MAIL FROM:<a@example.org> SIZE={SIZE + 1}")).startswith("552 ")
    assert (await wire.say(f"MAIL FROM:<a@example.org> SIZE={SIZE}")) == "250 2.1.0 OK"
    await wire.say("RSET")
    for larger in (SIZE + 4, SIZE + SIZE // 2):
        assert await wire.mail(lined(larger)) == f"552 5.3.4 The message is larger than {SIZE} bytes"
        assert await ingress.shelf.recipients() == []
    dots = b".\r\n" * (SIZE // 3)
    assert len(lined(SIZE)) == SIZE
    for content in (lined(SIZE), dots.replace(b".", b"..")):
        assert (await wire.mail(content)).startswith("250 ")
    assert sorted(await ingress.shelf.contents()) == sorted([lined(SIZE), dots])


async def test_a_mail_is_logged_in_one_line_without_its_content_or_addresses(ingress: Listened) -> None:
    wire = await ingress.greeted()
    with capture_logs() as lines:
        await wire.mail()
        ingress.shelf.kept.clock.after(seconds=1)
        await wire.mail()
        await wire.mail(b"bare\n\r\n")
    told = [(line["event"], line["bytes"], line.get("recipients"), line.get("repeated")) for line in lines]
    assert told == [
        ("mail_taken", len(MESSAGE), 1, 0),
        ("mail_taken", len(MESSAGE), 1, 1),
        ("mail_refused", 7, None, None),
    ]
    assert not any(secret in str(lines) for secret in ("Hello", "@example.org", "Subject"))


ATOMS = st.lists(st.text("aZ09!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=64), min_size=1, max_size=3)
LABELS = st.lists(st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?", fullmatch=True), min_size=1, max_size=3)
TOP = st.text("abcxyzABCXYZ", min_size=2, max_size=63)
EMAILS = st.builds(lambda atoms, labels, top: f"{'.'.join(atoms)}@{'.'.join(labels)}.{top}", ATOMS, LABELS, TOP)


@given(EMAILS.filter(is_email))
def test_whom_the_monolith_takes_as_a_user_the_ingress_takes_as_a_recipient(email: str) -> None:
    """A refusal would end its process (C11)."""
    assert paths.split(f"TO:<{email}>") == (email, "TO:<a@b>")
    assert str(paths.recipient(email)).lower() == email.lower()


@pytest.mark.parametrize(
    "email", ["é@example.org", "a@exämple.org", "a@例え.テスト", '"a b"@example.org', '"a@b"@example.org']
)
async def test_so_are_users_of_other_scripts_and_with_quotes(ingress: Listened, email: str) -> None:
    assert is_email(email)
    mail = EmailMessage()
    mail.set_content("x")
    await aiosmtplib.send(
        mail, sender="a@example.org", recipients=[email], hostname="127.0.0.1", port=ingress.ingress.port
    )
    assert await ingress.shelf.recipients() == [canonical(email)]


@pytest.mark.parametrize(
    ("content", "found"),
    [
         (b"Message-ID: <1@x>\r\n\r\n", "<1@x>"), (b"A: b\r\nmessage-id:\r\n <1@x>\t\r\nB: c\r\n\r\n", "<1@x>"),
         (b"Message-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n", "<1@x>"),
         (b"Subject: x\r\n\r\nMessage-ID: <1@x>\r\n", None), (b"\r\nMessage-ID: <1@x>\r\n\r\n", None),
         (b"X-Message-ID: <1@x>\r\n\r\n", None), (b"Subject: x\r\n Message-ID: <1@x>\r\n\r\n", None),
         (b"Message-ID: 1@x\r\n\r\n", None), (b"Message-ID: <1@x> <2@x>\r\n\r\n", None),
         (b"Message-ID: <1\xe9@x>\r\n\r\n", None), (b"Message-ID: <" + b"1" * 994 + b">\r\n\r\n", None),
         (b"X: y\r\n" * 20_000 + b"Message-ID: <1@x>\r\n\r\n", None),
    ],
)  # fmt: skip
def test_a_message_id_is_read_from_the_header_alone(content: bytes, found: str | None) -> None:
    assert message_id(content) == found
