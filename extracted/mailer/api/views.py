"""Mails as JSON, without their content: it may hold secrets."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from extracted.mailer.domain import Mail, MailEvent, Suppression


def mail(one: Mail) -> Mapping[str, object]:
    """One mail."""
    what = {"id": one.id, "key": one.key, "kind": one.kind, "locale": one.locale, "recipient": one.recipient}
    how = {"policy": one.policy, "state": one.state, "attempts": one.attempts, "ambiguities": one.ambiguities}
    said = {"reason": one.reason, "response": one.response}
    times = {"createdAt": time(one.created_at), "changedAt": time(one.changed_at), "dueAt": time(one.due_at)}
    return {**what, **how, **said, **times}


def whole(one: Mail, history: Sequence[MailEvent]) -> Mapping[str, object]:
    """One mail with its history, oldest first."""
    lines = [{"at": time(event.at), "state": event.state, "detail": event.detail, "by": event.by} for event in history]
    return {**mail(one), "history": lines}


def suppression(one: Suppression) -> Mapping[str, object]:
    """One suppressed address."""
    times = {"since": time(one.since), "until": time(one.until)}
    return {"recipient": one.recipient, **times, "reason": one.reason}


def time(moment: datetime | None) -> str | None:
    """ISO 8601."""
    return None if moment is None else moment.isoformat()
