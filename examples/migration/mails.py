"""The mails that have arrived, and those that must."""

import asyncio
import re
from collections import Counter
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

VERIFY, ADDED, REMOVED = "Verify your account", "Added to a team", "Removed from a team"
ARRIVES_WITHIN_S = 30.0
POLL_S = 0.05
_TOKEN = re.compile(r"/email/verification/([0-9a-f-]{36})")


class MailMissing(Exception):
    """A mail did not arrive in time."""


class Mails:
    """The mails that come into a mailbox's folder from now on.

    `expected`: recipient and subject of every mail that somebody's request must cause.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._earlier = {*folder.glob("*.eml")}
        self._read: dict[Path, EmailMessage] = {}
        self.expected: Counter[tuple[str, str]] = Counter()

    def expect(self, recipient: str, subject: str) -> None:
        """One more."""
        self.expected[recipient, subject] += 1

    async def verification(self, recipient: str) -> str:
        """The token of the latest mail to an address that gets no others. Raises MailMissing."""
        deadline = asyncio.get_running_loop().time() + ARRIVES_WITHIN_S
        while not (sent := self.to(recipient)):
            if asyncio.get_running_loop().time() > deadline:
                raise MailMissing(f"no mail {VERIFY!r} to {recipient} within {ARRIVES_WITHIN_S:g} s")
            await asyncio.sleep(POLL_S)
        body = sent[-1].get_body(("html",))
        found = _TOKEN.search(str(body.get_content())) if body is not None else None
        if found is None:
            raise MailMissing(f"the mail {VERIFY!r} to {recipient} has no link")
        return found[1]

    async def problems(self) -> list[str]:
        """Waits until all expected mails are there; returns those that are missing, came twice, or nobody expected."""
        deadline = asyncio.get_running_loop().time() + ARRIVES_WITHIN_S
        while (received := self.received()) != self.expected:
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(POLL_S)
        return [
            f"{received[mail]} mails {mail[1]!r} to {mail[0]}, expected {self.expected[mail]}"
            for mail in sorted({*received, *self.expected})
            if received[mail] != self.expected[mail]
        ]

    def received(self) -> Counter[tuple[str, str]]:
        """Recipient and subject of each mail."""
        return Counter((str(mail["To"]), str(mail["Subject"])) for mail in self._all())

    def to(self, recipient: str) -> list[EmailMessage]:
        """In the order of arrival."""
        return [mail for mail in self._all() if mail["To"] == recipient]

    def _all(self) -> list[EmailMessage]:
        """A file without content is still being written."""
        for file in sorted(self._folder.glob("*.eml")):
            if file not in self._earlier | self._read.keys() and (content := file.read_bytes()):
                mail = message_from_bytes(content, policy=policy.default)
                assert isinstance(mail, EmailMessage)
                self._read[file] = mail
        return [self._read[file] for file in sorted(self._read)]
