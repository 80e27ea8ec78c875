"""The statements of a purchase. They are built once, because building one takes longer than running it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, bindparam, literal_column, null, or_, select, true, update
from sqlalchemy.types import TypeEngine

from chassis.database.own_tables import OwnTables
from chassis.database.prepared import PreparedInserts, PreparedRows, PreparedStatement
from chassis.outbox.outbox import PUT
from extracted.account.purchases.domain.saga import BLOCKING, PurchaseEvent, PurchaseState, counts_in
from extracted.account.purchases.storage.tables import PurchaseTables


@dataclass(frozen=True, slots=True)
class PurchaseStatements:
    """Parameters are named as the columns; those of conditions have the prefix `of_`.

    The first five are those of a purchase that nothing disturbs; they work on several purchases at once.
    """

    blocking: PreparedRows
    add_requests: PreparedRows
    open: PreparedRows
    record: PreparedInserts
    settle: dict[PurchaseEvent, PreparedRows]
    request: PreparedStatement
    find: PreparedStatement
    due: PreparedStatement
    change_request: PreparedStatement
    reject: PreparedStatement
    count_command: PreparedStatement
    postpone: PreparedStatement
    revoke: PreparedStatement
    asked_at: PreparedStatement


_OPENED = ("id", "user_id", "item_id", "item", "price", "state", "asks", "asked_at", "created_at", "due_at")
_LINE = ("purchase_id", "kind", "delta", "points_after", "at")
_REJECTED = ("state", "reason", "settled_at", "asks", "asked_at", "due_at")
_SETTLED = ("id", "state", "reason", "settled_at")
_ASKED = ("asks", "asked_at", "due_at", "state", "first_confirmed_at", "cancelling_at")


def build(tables: PurchaseTables, outbox: Table) -> PurchaseStatements:
    """Builds them; call it once per process."""
    purchases, requests = tables.purchases, tables.requests
    one = purchases.c
    blocks = among(one.state, BLOCKING), one.revoked_at.is_(None)
    now, late = (bindparam(name, type_=one.due_at.type) for name in ("of_now", "of_late"))
    due = select(purchases).where(or_(one.due_at <= now, one.due_at > late))
    of_id = one.id == bindparam("of_id")
    as_read = of_id, one.state == bindparam("of_state"), one.asks == bindparam("of_asks")
    live = among(one.state, counts_in(PurchaseEvent.ROW_REMOVED)), one.revoked_at.is_(None)

    def blocking(given: FromClause) -> Any:
        same = one.user_id == given.c.user_id, one.item_id == given.c.item_id
        return select(purchases).where(*same, *blocks)

    def settle(event: PurchaseEvent, given: FromClause) -> Any:
        settled = update(purchases).where(one.id == given.c.id, among(one.state, counts_in(event)))
        new = {name: given.c[name] for name in _SETTLED[1:]}
        return settled.values(new | {"due_at": null()}).returning(purchases)

    return PurchaseStatements(
        blocking=PreparedRows(_types(purchases, "user_id", "item_id"), blocking, is_lookup=True),
        add_requests=_additions(tables.own, requests, requests.c.keys()),
        open=_additions(tables.own, purchases, _OPENED),
        record=PreparedInserts((tables.ledger, _LINE), (outbox, PUT)),
        settle={
            event: PreparedRows(_types(purchases, *_SETTLED), partial(settle, event))
            for event in PurchaseEvent
            if counts_in(event)
        },
        request=PreparedStatement(select(requests).where(requests.c.id == bindparam("of_id"))),
        find=PreparedStatement(select(purchases).where(of_id)),
        due=PreparedStatement(due.order_by(one.due_at).limit(bindparam("of_limit"))),
        change_request=PreparedStatement(
            update(requests).where(requests.c.id == bindparam("of_id")), "outcome", "purchase_id"
        ),
        reject=PreparedStatement(update(purchases).where(of_id), *_REJECTED),
        count_command=PreparedStatement(update(purchases).where(*as_read).returning(one.id), *_ASKED),
        postpone=PreparedStatement(update(purchases).where(*as_read), "due_at", "first_confirmed_at"),
        revoke=PreparedStatement(update(purchases).where(of_id, *live).returning(one.id), "revoked_at"),
        asked_at=PreparedStatement(select(one.asked_at).where(of_id)),
    )


def _types(table: Table, *names: str) -> dict[str, TypeEngine[Any]]:
    return {name: table.c[name].type for name in names}


def _additions(own: OwnTables, table: Table, names: Sequence[str]) -> PreparedRows:
    """Adds rows, without those that conflict with a row that exists; returns the ids of those that were added."""

    def add(given: FromClause) -> Any:
        rows = select(given).where(true())  # without WHERE, SQLite would take ON for the condition of a join
        return own.insert(table).from_select([*names], rows).on_conflict_do_nothing().returning(table.c.id)

    return PreparedRows(_types(table, *names), add)


def among(column: ColumnElement[str], states: frozenset[PurchaseState]) -> ColumnElement[bool]:
    """Writes the states into the text: a plan for all parameters can then use a partial index on these states."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])
