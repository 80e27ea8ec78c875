"""A mail server that keeps the mails it gets."""

import re
from asyncio import Server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from threading import Condition

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

TIMEOUT_S = 60


@dataclass(frozen=True)
class ReceivedMail:
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def html(self) -> str:
        """The HTML part, which is all of a monolith's mail; Mailer's mails have a text part, too."""
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())


class MailSink:
    """Mails in the order of their arrival."""

    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []
        self._arrived = Condition()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """The name is aiosmtpd's."""
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        with self._arrived:
            self.mails.append(ReceivedMail(str(envelope.mail_from), tuple(envelope.rcpt_tos), message))
            self._arrived.notify_all()
        return "250 OK"

    def to(self, recipient: str, count: int) -> list[ReceivedMail]:
        """Waits for the first `count` mails to this recipient."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._to(recipient)) >= count, TIMEOUT_S):
                raise AssertionError(f"{len(self._to(recipient))} mails to {recipient}, wanted {count}")
            return self._to(recipient)[:count]

    def _to(self, recipient: str) -> list[ReceivedMail]:
        return [mail for mail in self.mails if mail.recipients == (recipient,)]


class FreePortController(Controller):
    """aiosmtpd connects to its own port at start, so port 0 must be resolved before."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has no types


@contextmanager
def mail_server() -> Iterator[tuple[MailSink, dict[str, str]]]:
    """Yields the sink, and the monolith's settings for sending mail to it."""
    sink = MailSink()
    controller = FreePortController(sink, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield sink, {"EMAIL_PROVIDER": "SMTP", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(controller.port)}
    finally:
        controller.stop()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.links: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "title", "head")
        self.links += [str(value) for name, value in attrs if tag == "a" and name == "href"]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title", "head")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.lines.append(re.sub(r"\s+", " ", data.strip()))


def read_html(html: str) -> tuple[list[str], list[str]]:
    """Lines of text, and targets of links."""
    reader = _Reader()
    reader.feed(html)
    return reader.lines, reader.links
