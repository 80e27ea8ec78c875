"""From a letter to its rows: one key a recipient, and no 250 before the rows are committed."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from chassis.store import StoreUnavailable
from extracted.mailer.domain import Mail, Raw
from extracted.mailer.smtp_in.values import Letter, Limits, Store

log = structlog.get_logger("mailer.ingress")

HEADER_BYTES: Final = 64 * 1024
"""How far a Message-ID is looked for."""
AWAY: Final = "451 4.3.0 The mail cannot be kept now; try again later"
BROKEN: Final = "451 4.3.0 The mail could not be kept; try again later"
_FOLD: Final = rb"(?:[ \t]|\r\n[ \t])*"
_MESSAGE_ID: Final = re.compile(rb"^message-id:" + _FOLD + rb"(<[!-;=?-~]{1,993}>)" + _FOLD + rb"\r?$", re.I | re.M)


class Taking:
    """Keeps letters. It waits for a store that is away, since a mail that is refused ends the monolith (C11)."""

    def __init__(self, store: Store, clock: Callable[[], datetime], limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    async def take(self, letter: Letter) -> str:
        """The reply. 250: its rows are committed; each other one: they may or may not be."""
        raw = Raw(letter.sender, letter.content, message_id(letter.content))
        began = self._clock()
        try:
            async with asyncio.timeout(self._limits.hold_s + self._limits.store_s):
                mails = await self._kept(raw, keys(raw, letter.recipients))
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("mail_not_taken", reason=str(error) or "the store took too long", **_sizes(raw, letter))
            return AWAY
        except Exception:
            log.exception("mail_not_taken", **_sizes(raw, letter))
            return BROKEN
        repeated = sum(mail.created_at < began for mail in mails)
        log.info("mail_taken", mails=[mail.id for mail in mails][:3], repeated=repeated, **_sizes(raw, letter))
        return f"250 2.0.0 Kept as {mails[0].id}"

    async def _kept(self, raw: Raw, key_of: dict[str, str]) -> Sequence[Mail]:
        loop = asyncio.get_running_loop()
        last_try = loop.time() + self._limits.hold_s - self._limits.retry_s
        while True:
            try:
                return await self._store.raw(key_of, raw)
            except StoreUnavailable:
                if loop.time() > last_try:
                    raise
            await asyncio.sleep(self._limits.retry_s)


def message_id(content: bytes) -> str | None:
    """With its angle brackets; None: there is none, or no proper one."""
    header = (b"\r\n" + content[:HEADER_BYTES]).partition(b"\r\n\r\n")[0]
    found = _MESSAGE_ID.search(header)
    return found[1].decode("ascii") if found else None


def keys(raw: Raw, recipients: Sequence[str]) -> dict[str, str]:
    """Recipient → key: the same for the same message to the same one; a fresh one where there is no Message-ID.

    No time is in it: only a repetition has the same Message-ID and the same bytes (Date included).
    """
    if raw.message_id is None:
        return {recipient: f"smtp:{uuid.uuid4().hex}" for recipient in recipients}
    content = _digest(raw.content)
    parts = {recipient: (raw.message_id, raw.sender, recipient, content) for recipient in recipients}
    return {recipient: f"smtp:{_digest(repr(part).encode())}" for recipient, part in parts.items()}


def _sizes(raw: Raw, letter: Letter) -> dict[str, object]:
    """What a line in the log may tell of a message. Two with one Message-ID, but other content, differ in the last."""
    known_by = None if raw.message_id is None else _digest(raw.message_id.encode())[:16]
    of_content = _digest(raw.content)[:16]
    return {
        "bytes": len(raw.content),
        "recipients": len(letter.recipients),
        "message_id_sha256": known_by,
        "content_sha256": of_content,
    }


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()
