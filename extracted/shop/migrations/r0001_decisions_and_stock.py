"""Decisions, stock, and the tables of messages. As they were made: what changes later has a revision of its own."""

from sqlalchemy import BigInteger, CheckConstraint, Column, String
from sqlalchemy.dialects import postgresql

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant
from chassis.outbox import tables as message_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing was there before."""
    own = own_tables()
    message_tables.define(own)
    uuid_text = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
    own.table(
        "decisions",
        Column("purchase_id", uuid_text, primary_key=True),
        Column("user_id", uuid_text, nullable=False),
        Column("item_id", uuid_text, nullable=False),
        Column("outcome", String(16), nullable=False),
        Column("reason", String(32)),
        Column("decided_at", Instant, nullable=False),
        CheckConstraint("outcome IN ('decreased', 'refused', 'cancelled')", name="decisions_outcome"),
        CheckConstraint("(outcome = 'refused') = (reason IS NOT NULL)", name="decisions_reason"),
    )
    own.table(
        "stock",
        Column("item_id", uuid_text, primary_key=True),
        Column("initial", BigInteger, nullable=False),
        Column("restocked", BigInteger, nullable=False, server_default="0"),
        Column("sold", BigInteger, nullable=False, server_default="0"),
        Column("available", BigInteger),
        Column("changed_at", Instant, nullable=False),
        CheckConstraint("available >= 0", name="stock_available"),
        CheckConstraint("sold >= 0", name="stock_sold"),
        CheckConstraint("initial + restocked = available + sold", name="stock_balance"),
    )
    create(own)
