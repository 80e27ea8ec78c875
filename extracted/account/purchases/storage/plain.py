"""A purchase that nothing stands in the way of, as one statement of PostgreSQL: no transaction around it, one trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, SelectBase, Table, Update, case, exists, insert, select

from chassis.database.prepared import Prepared, parameters
from chassis.outbox.outbox import PUT
from extracted.account.purchases.storage.tables import Tables

OPENED = ("id", "user_id", "item_id", "item", "price", "state", "asks", "asked_at", "created_at", "due_at")
LINE = ("purchase_id", "kind", "delta", "points_after", "at")


class Debits(Protocol):
    """Where balances are kept, in the same database."""

    def debiting(self, *where: ColumnElement[bool]) -> Update:
        """The conditional debit as a part of a statement, with parameters of its own; returns `points`."""
        ...

    def payable(self) -> ColumnElement[bool]:
        """There are points enough, as the statement sees them at its begin; the same parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A purchase that nothing stands in the way of: request row (if any), purchase, debit, ledger, outbox.

    One statement, which writes all of it and returns the balance, or nothing: it returns no row, or violates a
    constraint. Parameters of each table's row after `request_`, `purchase_`, `entry_`, `message_`, and a debit's.
    """

    requested: Prepared
    called: Prepared


def build_plain(tables: Tables, debits: Debits, outbox: Table) -> Plain:
    """For one process."""
    requests = tables.requests
    row = select(*parameters(requests, requests.c.keys(), "request_")).where(debits.payable())
    kept = _unless_there(tables, requests, requests.c.keys(), row).cte("kept")
    return Plain(
        requested=_bought(tables, debits, outbox, exists(select(kept.c.id))),
        called=_bought(tables, debits, outbox, debits.payable()),
    )


def _bought(tables: Tables, debits: Debits, outbox: Table, begun: ColumnElement[bool]) -> Prepared:
    """Each part only where the one before it wrote its row, in the order of the long way: neither waits in a ring.

    Where it began, and was not paid, its message has no body: that violates a constraint, which undoes all of it.
    """
    purchases, ledger = tables.purchases, tables.ledger
    row = select(*parameters(purchases, OPENED, "purchase_")).where(begun)
    opened = _unless_there(tables, purchases, OPENED, row).cte("opened")
    paid = debits.debiting(exists(select(opened.c.id))).cte("paid")
    line = [name for name in LINE if name != "points_after"]
    entry = select(*parameters(ledger, line, "entry_"), paid.c.points)
    noted = insert(ledger).from_select([*line, "points_after"], entry).cte("noted")
    *head, body = parameters(outbox, PUT, "message_")
    balance = select(paid.c.points).scalar_subquery()
    message = select(*head, case((balance.is_not(None), body))).where(begun)
    sent = insert(outbox).from_select([*PUT], message).cte("sent")
    return Prepared(select(paid.c.points.label("balance")).add_cte(noted, sent))


def _unless_there(tables: Tables, table: Table, names: Sequence[str], row: SelectBase) -> Any:
    into = tables.own.insert(table).from_select([*names], row)
    return into.on_conflict_do_nothing().returning(table.c.id)
