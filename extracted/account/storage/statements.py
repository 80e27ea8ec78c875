"""The statements of a purchase, built once: building one takes longer than the database takes for it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Update, bindparam, insert, literal_column, or_, select, update

from extracted.account.saga import BLOCKING, Event, State, counts_in
from extracted.account.storage.tables import Tables


@dataclass(frozen=True, slots=True)
class Statements:
    """Parameters: names of columns, those of conditions with `of_` before."""

    request: Select[Any]
    find: Select[Any]
    blocking: Select[Any]
    due: Select[Any]
    keep: Insert
    change_request: Update
    open: Insert
    record: Insert
    change: Update
    settle: dict[Event, Update]


def build(tables: Tables) -> Statements:
    """For one process."""
    purchases, requests = tables.purchases, tables.requests
    one = purchases.c
    blocks = among(one.state, BLOCKING), one.revoked_at.is_(None)
    same = one.user_id == bindparam("of_user"), one.item_id == bindparam("of_item")
    now, late = (bindparam(name, type_=one.due_at.type) for name in ("of_now", "of_late"))
    due = select(purchases).where(or_(one.due_at <= now, one.due_at > late))
    of_id = one.id == bindparam("of_id")
    settling = [event for event in Event if counts_in(event)]
    return Statements(
        request=select(requests).where(requests.c.id == bindparam("of_id")),
        find=select(purchases).where(of_id),
        blocking=select(purchases).where(*same, *blocks),
        due=due.order_by(one.due_at).limit(bindparam("of_limit")),
        keep=tables.own.insert(requests).on_conflict_do_nothing(),
        change_request=update(requests).where(requests.c.id == bindparam("of_id")),
        open=tables.own.insert(purchases).on_conflict_do_nothing(),
        record=insert(tables.ledger),
        change=update(purchases).where(of_id),
        settle={
            event: update(purchases).where(of_id, among(one.state, counts_in(event))).returning(purchases)
            for event in settling
        },
    )


def among(column: ColumnElement[str], states: frozenset[State]) -> ColumnElement[bool]:
    """As words of the statement: a plan made once for all parameters can use an index of those states alone."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])
