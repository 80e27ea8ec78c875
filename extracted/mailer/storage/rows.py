"""Converts rows to values, and back."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from chassis.tracing import spans
from extracted.mailer.domain import (
    RAW,
    CheckedRequest,
    Claimed,
    Mail,
    MailContent,
    MailEvent,
    MailState,
    Policy,
    Raw,
    Templated,
)

MOST_TEXT: Final = 4000


def values(wanted: CheckedRequest, mail_id: str, content_id: str | None, now: datetime) -> dict[str, object]:
    """A new row of `mails`. `content_id`: of a raw mail's content."""
    return {
        "id": mail_id,
        "key": wanted.key,
        "digest": digest(wanted),
        "recipient": wanted.recipient,
        "policy": wanted.policy.value,
        "state": MailState.QUEUED.value,
        "attempts": 0,
        "ambiguities": 0,
        "traceparent": spans.passed_on(),
        **_content_values(wanted.content, content_id),
        **dict.fromkeys(("created_at", "changed_at", "queued_at", "due_at"), now),
    }


def _content_values(content: MailContent, content_id: str | None) -> dict[str, object]:
    if isinstance(content, Raw):
        raw = {"sender": content.sender, "message_id": content.message_id, "content_id": content_id}
        return {"kind": RAW, "locale": None, "variables": None, **raw}
    templated = {"kind": content.kind, "locale": content.locale, "variables": json.dumps(dict(content.variables))}
    return {**templated, "sender": None, "message_id": None, "content_id": None}


def digest(wanted: CheckedRequest) -> str:
    """A digest of recipient and content."""
    content = wanted.content
    if isinstance(content, Raw):
        what: list[object] = [RAW, content.sender, hashlib.sha256(content.content).hexdigest()]
    else:
        what = ["templated", content.kind, content.locale, dict(content.variables)]
    return hashlib.sha256(json.dumps([wanted.recipient, *what], sort_keys=True).encode()).hexdigest()


def mail(row: Row[Any]) -> Mail:
    """A row of `mails`."""
    return Mail(
        row.id,
        row.key,
        row.kind,
        row.locale,
        row.recipient,
        Policy(row.policy),
        MailState(row.state),
        row.attempts,
        row.ambiguities,
        row.reason,
        row.response,
        row.created_at,
        row.changed_at,
        row.due_at,
    )


def claimed(row: Row[Any]) -> Claimed:
    """From a row of `mails` with the content of a raw mail in `raw`."""
    if row.kind == RAW:
        content: MailContent = Raw(row.sender, bytes(row.raw), row.message_id)
    else:
        content = Templated(row.kind, row.locale, json.loads(row.variables))
    policy = Policy(row.policy)
    known = row.recipient, content, policy, row.created_at, row.ambiguities, row.traceparent
    return Claimed(row.id, row.claim, row.attempts, *known)


def event(row: Row[Any]) -> MailEvent:
    """A row of `events`."""
    return MailEvent(row.at, MailState(row.state), row.detail, row.by)


def event_values(mail_id: str, at: datetime, state: MailState, detail: str, by: str | None = None) -> dict[str, object]:
    """The reverse."""
    return {"mail_id": mail_id, "at": at, "state": state.value, "detail": text(detail), "by": by and text(by)}


def text(foreign: str) -> str:
    """Shortened, without NUL and lone surrogates, which databases refuse."""
    return foreign[:MOST_TEXT].replace("\0", "�").encode(errors="replace").decode()
