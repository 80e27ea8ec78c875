"""The statements of a purchase. They are built once, because building one takes longer than running it."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, insert, literal_column, or_, select, update

from chassis.database.prepared import PreparedStatement
from extracted.account.purchases.domain.saga import BLOCKING, PurchaseEvent, PurchaseState, counts_in
from extracted.account.purchases.storage.tables import PurchaseTables


@dataclass(frozen=True, slots=True)
class PurchaseStatements:
    """Parameters are named as the columns; those of conditions have the prefix `of_`."""

    request: PreparedStatement
    find: PreparedStatement
    blocking: PreparedStatement
    due: PreparedStatement
    add_request: PreparedStatement
    change_request: PreparedStatement
    open: PreparedStatement
    record: PreparedStatement
    reject: PreparedStatement
    settle: dict[PurchaseEvent, PreparedStatement]
    count_command: PreparedStatement
    postpone: PreparedStatement
    revoke: PreparedStatement
    asked_at: PreparedStatement


_OPENED = ("id", "user_id", "item_id", "item", "price", "state", "asks", "asked_at", "created_at", "due_at")
_LINE = ("purchase_id", "kind", "delta", "points_after", "at")
_REJECTED = ("state", "reason", "settled_at", "asks", "asked_at", "due_at")
_SETTLED = ("state", "reason", "settled_at", "due_at")
_ASKED = ("asks", "asked_at", "due_at", "state", "first_confirmed_at", "cancelling_at")


def build(tables: PurchaseTables) -> PurchaseStatements:
    """Builds them; call it once per process."""
    purchases, requests = tables.purchases, tables.requests
    one = purchases.c
    blocks = among(one.state, BLOCKING), one.revoked_at.is_(None)
    same = one.user_id == bindparam("of_user"), one.item_id == bindparam("of_item")
    now, late = (bindparam(name, type_=one.due_at.type) for name in ("of_now", "of_late"))
    due = select(purchases).where(or_(one.due_at <= now, one.due_at > late))
    of_id = one.id == bindparam("of_id")
    as_read = of_id, one.state == bindparam("of_state"), one.asks == bindparam("of_asks")
    live = among(one.state, counts_in(PurchaseEvent.ROW_REMOVED)), one.revoked_at.is_(None)
    settling = [event for event in PurchaseEvent if counts_in(event)]
    return PurchaseStatements(
        request=PreparedStatement(select(requests).where(requests.c.id == bindparam("of_id"))),
        find=PreparedStatement(select(purchases).where(of_id)),
        blocking=PreparedStatement(select(purchases).where(*same, *blocks)),
        due=PreparedStatement(due.order_by(one.due_at).limit(bindparam("of_limit"))),
        add_request=PreparedStatement(
            tables.own.insert(requests).on_conflict_do_nothing().returning(requests.c.id), *requests.c.keys()
        ),
        change_request=PreparedStatement(
            update(requests).where(requests.c.id == bindparam("of_id")), "outcome", "purchase_id"
        ),
        open=PreparedStatement(tables.own.insert(purchases).on_conflict_do_nothing().returning(one.id), *_OPENED),
        record=PreparedStatement(insert(tables.ledger), *_LINE),
        reject=PreparedStatement(update(purchases).where(of_id), *_REJECTED),
        settle={
            event: PreparedStatement(
                update(purchases).where(of_id, among(one.state, counts_in(event))).returning(purchases), *_SETTLED
            )
            for event in settling
        },
        count_command=PreparedStatement(update(purchases).where(*as_read).returning(one.id), *_ASKED),
        postpone=PreparedStatement(update(purchases).where(*as_read), "due_at", "first_confirmed_at"),
        revoke=PreparedStatement(update(purchases).where(of_id, *live).returning(one.id), "revoked_at"),
        asked_at=PreparedStatement(select(one.asked_at).where(of_id)),
    )


def among(column: ColumnElement[str], states: frozenset[PurchaseState]) -> ColumnElement[bool]:
    """Writes the states into the text: a plan for all parameters can then use a partial index on these states."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])
