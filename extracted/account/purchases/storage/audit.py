"""The statements of an audit: they compare purchases with the ledger and with the rows of what was sold."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select

from extracted.account.purchases.domain.purchase import CHARGED_TWICE, DEBIT, REFUND
from extracted.account.purchases.domain.saga import BLOCKING, OPEN, PurchaseState
from extracted.account.purchases.operator_ports import BreachKind
from extracted.account.purchases.storage.tables import PurchaseTables
from extracted.account.rewards.domain import REWARD


class SoldRows(Protocol):
    """The rows of what was sold, in the same database, as conditions on columns."""

    def has_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """There is a row, removed or not."""
        ...

    def has_live_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """There is a row that is not removed."""
        ...

    def has_user(self, user_id: ColumnElement[str]) -> ColumnElement[bool]:
        """The user is not deleted."""
        ...

    def is_bought_otherwise(
        self, purchase_id: ColumnElement[str], user_id: ColumnElement[str], item_id: ColumnElement[str]
    ) -> ColumnElement[bool]:
        """There is a live row of the user and the item with another id."""
        ...


def statements(
    tables: PurchaseTables, bought: SoldRows, opened_before: datetime
) -> Iterator[tuple[BreachKind, Select[Any]]]:
    """Each selects the ids of wrong purchases."""
    one = tables.purchases.c
    purchases = select(one.id)
    yield BreachKind.LEDGER_DIFFERS, _ledger_differs(tables)
    yield BreachKind.LEDGER_WITHOUT_PURCHASE, _ledger_without_purchase(tables)
    yield BreachKind.OPEN_TOO_LONG, purchases.where(one.state.in_(_values(OPEN)), one.created_at < opened_before)
    lasting = one.state == PurchaseState.COMPLETED.value, one.revoked_at.is_(None), bought.has_user(one.user_id)
    yield BreachKind.COMPLETED_WITHOUT_ROW, purchases.where(*lasting, not_(bought.has_row(one.id)))
    returned = one.state.in_(_values({PurchaseState.REJECTED, PurchaseState.REFUNDED}))
    yield BreachKind.ROW_OF_REFUNDED, purchases.where(returned, bought.has_live_row(one.id))
    yield BreachKind.CHARGED_TWICE, charged_twice(tables, bought)


def charged_twice(tables: PurchaseTables, bought: SoldRows) -> Select[Any]:
    """Completed purchases whose item the monolith sold, too, and that were not refunded for that."""
    one, line = tables.purchases.c, tables.ledger.alias("twice").c
    refunded = select(line.purchase_id).where(line.purchase_id == one.id, line.kind == CHARGED_TWICE).exists()
    both = bought.has_live_row(one.id), bought.is_bought_otherwise(one.id, one.user_id, one.item_id)
    return select(one.id).where(
        one.state == PurchaseState.COMPLETED.value, one.revoked_at.is_(None), *both, not_(refunded)
    )


def _ledger_differs(tables: PurchaseTables) -> Select[Any]:
    one, debit, refund = tables.purchases, tables.ledger.alias("debit"), tables.ledger.alias("refund")
    joined = one.outerjoin(debit, and_(debit.c.purchase_id == one.c.id, debit.c.kind == DEBIT))
    joined = joined.outerjoin(refund, and_(refund.c.purchase_id == one.c.id, refund.c.kind == REFUND))
    paid, given_back = func.coalesce(debit.c.delta, 1), func.coalesce(refund.c.delta, -1)
    blocks = and_(one.c.state.in_(_values(BLOCKING)), or_(paid != -one.c.price, refund.c.delta.is_not(None)))
    refunded = and_(one.c.state == PurchaseState.REFUNDED.value, or_(paid != -one.c.price, given_back != one.c.price))
    untouched = debit.c.delta.is_not(None) | refund.c.delta.is_not(None)
    rejected = and_(one.c.state == PurchaseState.REJECTED.value, untouched)
    return select(one.c.id).select_from(joined).where(or_(blocks, refunded, rejected))


def _ledger_without_purchase(tables: PurchaseTables) -> Select[Any]:
    line = tables.ledger.c
    known = select(tables.purchases.c.id).where(tables.purchases.c.id == line.purchase_id).exists()
    return select(line.purchase_id).distinct().where(line.kind != REWARD, not_(known))


def _values(states: frozenset[PurchaseState] | set[PurchaseState]) -> list[str]:
    return sorted(state.value for state in states)
