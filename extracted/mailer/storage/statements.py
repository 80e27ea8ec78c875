"""The statements of senders, built once: building one takes longer than running it."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    true,
    update,
)

from extracted.mailer.domain import MailState
from extracted.mailer.storage.tables import MailTables

SUPPRESSED = "nothing is sent to this address for now: it has bounced too often"

UNCHANGED: Final = {"of_reason": None, "of_response": None, "of_due": None, "of_undone": 0, "of_more": 0}
"""Parameters of `settle`: a reason and a response that were there stay."""


def claim(tables: MailTables) -> Update:
    """Claims the next due mail, or ends it if its address is suppressed. Parameters: `of_now`, `of_claim`, `of_lease`.

    Returns its row with its raw content. Skips rows that another sender is claiming (SQLite has one writer at a time).
    """
    mails = tables.mails
    row, now = mails.c, bindparam("of_now", type_=mails.c.due_at.type)
    fresh = _next(tables, row.attempts == literal_column("0"), true()).cte("fresh")
    none = ~exists(select(fresh.c.id))
    again = _next(tables, row.attempts > literal_column("0"), none).cte("again")
    chosen = select(fresh.c.id).union_all(select(again.c.id))
    barred = exists().where(tables.suppressions.c.recipient == row.recipient, tables.suppressions.c.until > now)
    taken = {
        "state": _either(barred, MailState.SUPPRESSED.value, MailState.SENDING.value),
        "reason": case((barred, SUPPRESSED), else_=row.reason),
        "attempts": case((barred, row.attempts), else_=row.attempts + 1),
        "claim": case((barred, null()), else_=bindparam("of_claim", type_=row.claim.type)),
        "lease_until": case((barred, null()), else_=bindparam("of_lease", type_=row.lease_until.type)),
    }
    changes = {**taken, "due_at": None, "changed_at": now}
    raw = select(tables.contents.c.content).where(tables.contents.c.id == row.content_id).scalar_subquery()
    return update(mails).where(row.id.in_(chosen)).values(**changes).returning(mails, raw.label("raw"))


def sent(tables: MailTables) -> Select[Any]:
    """Marks a mail as sent and adds the line to its history, on PostgreSQL alone.

    Parameters: `of_id`, `of_claim`, `of_now`, `of_response`. Returns whether its address has bounced before; no row
    where the claim was lost.
    """
    mails, row, events = tables.mails, tables.mails.c, tables.events
    id, now = bindparam("of_id", type_=row.id.type), bindparam("of_now", type_=row.changed_at.type)
    response = bindparam("of_response", type_=row.response.type)
    held = row.id == id, row.claim == bindparam("of_claim", type_=row.claim.type), row.state == MailState.SENDING.value
    values = {
        "state": MailState.SENT.value,
        "response": response,
        "claim": None,
        "lease_until": None,
        "changed_at": now,
    }
    bounced = exists(select(tables.bounces.c.at).where(tables.bounces.c.recipient == row.recipient))
    changed = update(mails).where(*held).values(**values).returning(row.id, bounced.label("has_bounced")).cte("changed")
    event = select(changed.c.id, now, literal(MailState.SENT.value, events.c.state.type), response)
    noted = insert(events).from_select(["mail_id", "at", "state", "detail"], event).cte("noted")
    return select(changed.c.has_bounced).add_cte(noted)


def settle(tables: MailTables) -> Update:
    """Records the result of a claimed mail, only with its claim. Parameters: UNCHANGED, and those without a default.

    Returns its id, and whether its address has bounced lately.
    """
    row, bounces = tables.mails.c, tables.bounces.c
    has_claim = row.id == bindparam("of_id"), row.claim == bindparam("of_claim"), row.state == MailState.SENDING.value
    changes = {
        "state": bindparam("of_state", type_=row.state.type),
        "reason": func.coalesce(bindparam("of_reason", type_=row.reason.type), row.reason),
        "response": func.coalesce(bindparam("of_response", type_=row.response.type), row.response),
        "attempts": row.attempts - bindparam("of_undone", type_=row.attempts.type),
        "ambiguities": row.ambiguities + bindparam("of_more", type_=row.ambiguities.type),
        "due_at": bindparam("of_due", type_=row.due_at.type),
        "changed_at": bindparam("of_now", type_=row.changed_at.type),
        **dict.fromkeys(("claim", "lease_until")),
    }
    has_bounced = exists(select(bounces.at).where(bounces.recipient == row.recipient)).label("has_bounced")
    return update(tables.mails).where(*has_claim).values(**changes).returning(row.id, has_bounced)


def soonest(tables: MailTables) -> Select[Any]:
    """One row: when the next fresh mail and the next retry are due."""
    row = tables.mails.c
    of = row.attempts == literal_column("0"), row.attempts > literal_column("0")
    return select(*(select(func.min(row.due_at)).where(row.due_at.is_not(None), one).scalar_subquery() for one in of))


def _next(tables: MailTables, of_kind: ColumnElement[bool], wanted: ColumnElement[bool]) -> Select[Any]:
    row = tables.mails.c
    due = row.due_at <= bindparam("of_now", type_=row.due_at.type)
    found = select(row.id).where(due, of_kind, wanted).order_by(row.due_at).limit(literal_column("1"))
    return found.with_for_update(skip_locked=True)


def _either(condition: ColumnElement[bool], yes: str, no: str) -> ColumnElement[str]:
    return case((condition, yes), else_=no)
