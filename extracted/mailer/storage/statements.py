"""The statement that claims a mail, built once: building it takes longer than the database takes for it."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    case,
    exists,
    literal_column,
    null,
    select,
    true,
    update,
)

from extracted.mailer.domain import State
from extracted.mailer.storage.tables import Tables

SUPPRESSED = "nothing is sent to this address for now: it has bounced too often"


def claim(tables: Tables) -> Update:
    """Of `of_now`, `of_claim`, `of_lease`: takes the next due mail, or ends it where its address is suppressed.

    Returns its row, with its raw content. What somebody else is just claiming is passed over (on SQLite one writes at
    a time).
    """
    mails = tables.mails
    row, now = mails.c, bindparam("of_now", type_=mails.c.due_at.type)
    fresh = _next(tables, row.attempts == literal_column("0"), true()).cte("fresh")
    none = ~exists(select(fresh.c.id))
    again = _next(tables, row.attempts > literal_column("0"), none).cte("again")
    chosen = select(fresh.c.id).union_all(select(again.c.id))
    barred = exists().where(tables.suppressions.c.recipient == row.recipient, tables.suppressions.c.until > now)
    taken = {
        "state": _either(barred, State.SUPPRESSED.value, State.SENDING.value),
        "reason": case((barred, SUPPRESSED), else_=row.reason),
        "attempts": case((barred, row.attempts), else_=row.attempts + 1),
        "claim": case((barred, null()), else_=bindparam("of_claim", type_=row.claim.type)),
        "lease_until": case((barred, null()), else_=bindparam("of_lease", type_=row.lease_until.type)),
    }
    changes = {**taken, "due_at": None, "changed_at": now}
    raw = select(tables.contents.c.content).where(tables.contents.c.id == row.content_id).scalar_subquery()
    return update(mails).where(row.id.in_(chosen)).values(**changes).returning(mails, raw.label("raw"))


def _next(tables: Tables, of_kind: ColumnElement[bool], wanted: ColumnElement[bool]) -> Select[Any]:
    row = tables.mails.c
    due = row.due_at <= bindparam("of_now", type_=row.due_at.type)
    found = select(row.id).where(due, of_kind, wanted).order_by(row.due_at).limit(literal_column("1"))
    return found.with_for_update(skip_locked=True)


def _either(condition: ColumnElement[bool], yes: str, no: str) -> ColumnElement[str]:
    return case((condition, yes), else_=no)
