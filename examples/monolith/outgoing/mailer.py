"""Sends mail by SMTP in the background. A mail that fails ends the process (faults F7, C11)."""

import asyncio
import logging
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid

import aiosmtplib

from examples.monolith.outgoing.mails import Mail
from examples.monolith.outgoing.unhandled import unhandled
from examples.monolith.settings import MailSettings, Smtp

TIMEOUT_S = 60
CLOSE_S = 5
logger = logging.getLogger(__name__)


class Mailer:
    """Sends mails and keeps track of those under way."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, mail: Mail) -> None:
        """Starts to send the mail and returns at once."""
        smtp = self._settings.smtp
        if smtp is None:
            logger.info("no mail server is configured; %r is not sent", mail.subject)
            return
        task = asyncio.create_task(self._deliver(smtp, mail))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def aclose(self) -> None:
        """Waits up to CLOSE_S for mails under way, then cancels the rest."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSE_S)
            for task in late:
                task.cancel()

    async def _deliver(self, smtp: Smtp, mail: Mail) -> None:
        try:
            await aiosmtplib.send(
                self._message(mail),
                sender=self._settings.sender,
                recipients=[mail.recipient],
                hostname=smtp.host,
                port=smtp.port,
                username=smtp.user,
                password=smtp.password,
                use_tls=smtp.secure,
                timeout=TIMEOUT_S,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            unhandled(error)

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = formataddr((self._settings.sender_name, self._settings.sender))
        message["To"] = mail.recipient
        message["Subject"] = mail.subject
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2])
        message["Date"] = formatdate()
        message.set_content(mail.html, subtype="html", cte="quoted-printable")
        return message
