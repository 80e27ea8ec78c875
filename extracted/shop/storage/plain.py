"""A sale that nothing prevents, as one statement of PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Insert, Table, exists, insert, select

from chassis.database.locked import Locked
from chassis.database.prepared import parameters
from chassis.outbox.outbox import PUT
from extracted.shop.decision import DECREASED, Purchase
from extracted.shop.storage.tables import ShopTables, uuid_text

DECIDED: Final = ("purchase_id", "user_id", "item_id", "outcome", "reason", "decided_at")


def build_plain(
    tables: ShopTables, unsold: ColumnElement[bool], sold: tuple[Table, Sequence[str]], out: Table
) -> Locked:
    """Writes decision, row of `transactions` and answer if the decision is new and nothing refuses the sale.

    `unsold`: the user exists and does not have the item, by the parameters `user` and `item`. Items with a quantity
    are excluded. Further parameters: the columns of each row, prefixed with `decided_`, `sold_`, `message_`.
    """
    decisions, stock = tables.decisions, tables.stock.c
    purchase, item = (BindParameter[str](name, type_=uuid_text()) for name in ("decided_purchase_id", "item"))
    is_new = ~exists().where(decisions.c.purchase_id == purchase)
    is_unlimited = ~exists().where(stock.item_id == item, stock.available.is_not(None))
    row = select(*parameters(decisions, DECIDED, "decided_")).where(is_new, unsold, is_unlimited)
    decided = insert(decisions).from_select([*DECIDED], row).returning(decisions.c.purchase_id).cte("decided")
    table, columns = sold
    bought = _after(decided, table, columns, "sold_").cte("bought")
    return Locked("sell", _after(decided, out, PUT, "message_").add_cte(bought))


def decided_row(purchase: Purchase, now: datetime) -> dict[str, object]:
    """The row of the decision."""
    values = (purchase.id, purchase.user_id, purchase.item_id, DECREASED.outcome, DECREASED.reason, now)
    return dict(zip(DECIDED, values, strict=True))


def _after(first: Any, table: Table, columns: Sequence[str], prefix: str) -> Insert:
    return insert(table).from_select([*columns], select(*parameters(table, columns, prefix)).select_from(first))
