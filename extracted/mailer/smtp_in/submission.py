"""A submitted message becomes rows, one for each recipient; no 250 is said before they are committed."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from chassis.store import StoreUnavailable
from extracted.mailer.domain import Mail, Raw
from extracted.mailer.smtp_in.endpoint import IngressLimits

log = structlog.get_logger("mailer.ingress")

HEADER_BYTES: Final = 64 * 1024
"""How far a Message-ID is searched for."""
AWAY: Final = "451 4.3.0 The mail cannot be kept now; try again later"
BROKEN: Final = "451 4.3.0 The mail could not be kept; try again later"
_FOLD: Final = rb"(?:[ \t]|\r\n[ \t])*"
_MESSAGE_ID: Final = re.compile(rb"^message-id:" + _FOLD + rb"(<[!-;=?-~]{1,993}>)" + _FOLD + rb"\r?$", re.I | re.M)


class RawMailStore(Protocol):
    """Where mails are kept: the service's intake."""

    async def raw(self, key_of: Mapping[str, str], raw: Raw) -> Sequence[Mail]:
        """`key_of`: recipient → key; one row each, all or none; a known key gives its row. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """Envelope and content of one message; each recipient once. `sender`: empty for none."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class SubmissionHandler:
    """Waits for a store that is away, as a mail that is refused ends the monolith (C11)."""

    store: RawMailStore
    clock: Callable[[], datetime]
    limits: IngressLimits

    async def reply(self, submission: Submission) -> str:
        """250: the rows are committed. Any other reply: they may or may not be."""
        raw = Raw(submission.sender, submission.content, message_id(submission.content))
        began, facts = self.clock(), _facts(raw, submission)
        try:
            async with asyncio.timeout(self.limits.hold_s + self.limits.store_s):
                mails = await self._stored(raw, keys(raw, submission.recipients))
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("mail_not_taken", reason=str(error) or "the store took too long", **facts)
            return AWAY
        except Exception:
            log.exception("mail_not_taken", **facts)
            return BROKEN
        repeated = sum(mail.created_at < began for mail in mails)
        log.info("mail_taken", mails=[mail.id for mail in mails][:3], repeated=repeated, **facts)
        return f"250 2.0.0 Kept as {mails[0].id}"

    async def _stored(self, raw: Raw, key_of: Mapping[str, str]) -> Sequence[Mail]:
        loop = asyncio.get_running_loop()
        last_try = loop.time() + self.limits.hold_s - self.limits.retry_s
        while True:
            try:
                return await self.store.raw(key_of, raw)
            except StoreUnavailable:
                if loop.time() > last_try:
                    raise
            await asyncio.sleep(self.limits.retry_s)


def message_id(content: bytes) -> str | None:
    """With its angle brackets; None: there is none, or no valid one."""
    header = (b"\r\n" + content[:HEADER_BYTES]).partition(b"\r\n\r\n")[0]
    found = _MESSAGE_ID.search(header)
    return found[1].decode("ascii") if found else None


def keys(raw: Raw, recipients: Sequence[str]) -> dict[str, str]:
    """Recipient → key: the same for a repetition; a new one where there is no Message-ID.

    A key holds no time: only a repetition has the same Message-ID and the same bytes, its Date included.
    """
    if raw.message_id is None:
        return {recipient: f"smtp:{uuid.uuid4().hex}" for recipient in recipients}
    content = _digest(raw.content)
    known_by = {recipient: (raw.message_id, raw.sender, recipient, content) for recipient in recipients}
    return {recipient: f"smtp:{_digest(repr(values).encode())}" for recipient, values in known_by.items()}


def _facts(raw: Raw, submission: Submission) -> dict[str, object]:
    """For the log: no content, no address. The digests show whether two messages have the same id or content."""
    return {
        "bytes": len(raw.content),
        "recipients": len(submission.recipients),
        "message_id_sha256": None if raw.message_id is None else _digest(raw.message_id.encode())[:16],
        "content_sha256": _digest(raw.content)[:16],
    }


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()
