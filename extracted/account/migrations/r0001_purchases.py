"""Creates purchases, requests, ledger, interventions and the tables of messages. Do not change it: add a revision."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Text

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant, OwnTables
from chassis.outbox import tables as message_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The first revision."""
    own = own_tables()
    message_tables.define(own)
    _purchases(own)
    own.table(
        "purchase_requests",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("user_id", "item_id", "digest", "outcome")),
        Column("purchase_id", Text),
        Column("at", Instant, nullable=False),
    )
    own.table(
        "ledger",
        Column("purchase_id", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("delta", BigInteger, nullable=False),
        Column("points_after", BigInteger),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("purchase_id", "kind"),
    )
    done = own.table(
        "interventions",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("purchase_id", "action", "why")),
        Column("at", Instant, nullable=False),
    )
    own.index("interventions_purchase", done.c.purchase_id)
    create(own)


def _purchases(own: OwnTables) -> None:
    table = own.table(
        "purchases",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("user_id", "item_id", "item")),
        Column("price", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("reason", Text),
        Column("asks", Integer, nullable=False),
        Column("asked_at", Instant),
        Column("due_at", Instant),
        Column("created_at", Instant, nullable=False),
        *(Column(name, Instant) for name in ("first_confirmed_at", "cancelling_at", "settled_at", "revoked_at")),
    )
    blocks = table.c.state.in_(["CANCELLING", "COMPLETED", "DEBITED"]) & table.c.revoked_at.is_(None)
    own.index("purchases_blocking", table.c.user_id, table.c.item_id, where=blocks, unique=True)
    own.index("purchases_due", table.c.due_at, where=table.c.due_at.is_not(None))
