"""Account's own tables for purchases, next to those of outbox, inbox and failed messages."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from chassis.database.own_tables import Instant, OwnTables
from extracted.account.purchases.domain.saga import BLOCKING


@dataclass(frozen=True, slots=True)
class PurchaseTables:
    """One per process."""

    own: OwnTables
    purchases: Table
    requests: Table
    ledger: Table
    interventions: Table


def define(own: OwnTables) -> PurchaseTables:
    """Defines them; call it once per metadata."""
    return PurchaseTables(own, _purchases(own), _requests(own), _ledger(own), _interventions(own))


def _purchases(own: OwnTables) -> Table:
    """`item` is the item's JSON at the debit. `due_at`: when to check an open purchase; NULL if it is settled."""
    table = own.table(
        "purchases",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("item_id", Text, nullable=False),
        Column("item", Text, nullable=False),
        Column("price", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("reason", Text),
        Column("asks", Integer, nullable=False),
        Column("asked_at", Instant),
        Column("due_at", Instant),
        Column("created_at", Instant, nullable=False),
        Column("first_confirmed_at", Instant),
        Column("cancelling_at", Instant),
        Column("settled_at", Instant),
        Column("revoked_at", Instant),
    )
    blocks = table.c.state.in_(sorted(BLOCKING)) & table.c.revoked_at.is_(None)
    own.index("purchases_blocking", table.c.user_id, table.c.item_id, where=blocks, unique=True)
    own.index("purchases_due", table.c.due_at, where=table.c.due_at.is_not(None))
    return table


def _requests(own: OwnTables) -> Table:
    """One row per message id, never deleted."""
    return own.table(
        "purchase_requests",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("item_id", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("purchase_id", Text),
        Column("at", Instant, nullable=False),
    )


def _ledger(own: OwnTables) -> Table:
    """Debits, refunds and rewards: at most one entry per purchase (or reward, which has its own id) and kind."""
    return own.table(
        "ledger",
        Column("purchase_id", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("delta", BigInteger, nullable=False),
        Column("points_after", BigInteger),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("purchase_id", "kind"),
    )


def _interventions(own: OwnTables) -> Table:
    """What operators did to a purchase, who, and why."""
    table = own.table(
        "interventions",
        Column("id", Text, primary_key=True),
        Column("purchase_id", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("why", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Column("by", Text),
    )
    own.index("interventions_purchase", table.c.purchase_id)
    return table
