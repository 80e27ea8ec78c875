"""The statements of a purchase, built once: building one takes longer than the database takes for it."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, insert, literal_column, or_, select, update

from chassis.database.prepared import Prepared
from extracted.account.purchases.domain.saga import BLOCKING, Event, State, counts_in
from extracted.account.purchases.storage.tables import Tables


@dataclass(frozen=True, slots=True)
class Statements:
    """Parameters: names of columns, those of conditions with `of_` before."""

    request: Prepared
    find: Prepared
    blocking: Prepared
    due: Prepared
    keep: Prepared
    change_request: Prepared
    open: Prepared
    record: Prepared
    reject: Prepared
    settle: dict[Event, Prepared]
    ask: Prepared
    look_again: Prepared
    revoke: Prepared
    asked_at: Prepared


_OPENED = ("id", "user_id", "item_id", "item", "price", "state", "asks", "asked_at", "created_at", "due_at")
_LINE = ("purchase_id", "kind", "delta", "points_after", "at")
_REJECTED = ("state", "reason", "settled_at", "asks", "asked_at", "due_at")
_SETTLED = ("state", "reason", "settled_at", "due_at")
_ASKED = ("asks", "asked_at", "due_at", "state", "first_confirmed_at", "cancelling_at")


def build(tables: Tables) -> Statements:
    """For one process."""
    purchases, requests = tables.purchases, tables.requests
    one = purchases.c
    blocks = among(one.state, BLOCKING), one.revoked_at.is_(None)
    same = one.user_id == bindparam("of_user"), one.item_id == bindparam("of_item")
    now, late = (bindparam(name, type_=one.due_at.type) for name in ("of_now", "of_late"))
    due = select(purchases).where(or_(one.due_at <= now, one.due_at > late))
    of_id = one.id == bindparam("of_id")
    as_read = of_id, one.state == bindparam("of_state"), one.asks == bindparam("of_asks")
    live = among(one.state, counts_in(Event.ROW_REMOVED)), one.revoked_at.is_(None)
    settling = [event for event in Event if counts_in(event)]
    return Statements(
        request=Prepared(select(requests).where(requests.c.id == bindparam("of_id"))),
        find=Prepared(select(purchases).where(of_id)),
        blocking=Prepared(select(purchases).where(*same, *blocks)),
        due=Prepared(due.order_by(one.due_at).limit(bindparam("of_limit"))),
        keep=Prepared(
            tables.own.insert(requests).on_conflict_do_nothing().returning(requests.c.id), *requests.c.keys()
        ),
        change_request=Prepared(update(requests).where(requests.c.id == bindparam("of_id")), "outcome", "purchase_id"),
        open=Prepared(tables.own.insert(purchases).on_conflict_do_nothing().returning(one.id), *_OPENED),
        record=Prepared(insert(tables.ledger), *_LINE),
        reject=Prepared(update(purchases).where(of_id), *_REJECTED),
        settle={
            event: Prepared(
                update(purchases).where(of_id, among(one.state, counts_in(event))).returning(purchases), *_SETTLED
            )
            for event in settling
        },
        ask=Prepared(update(purchases).where(*as_read).returning(one.id), *_ASKED),
        look_again=Prepared(update(purchases).where(*as_read), "due_at", "first_confirmed_at"),
        revoke=Prepared(update(purchases).where(of_id, *live).returning(one.id), "revoked_at"),
        asked_at=Prepared(select(one.asked_at).where(of_id)),
    )


def among(column: ColumnElement[str], states: frozenset[State]) -> ColumnElement[bool]:
    """As words of the statement: a plan made once for all parameters can use an index of those states alone."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])
