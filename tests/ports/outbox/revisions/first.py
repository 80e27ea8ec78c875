"""The first migration of a service, as every service writes it."""

from sqlalchemy import CheckConstraint, Column, Integer, Text

from chassis.database import migrations
from chassis.outbox import tables as message_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    tables = migrations.own_tables()
    message_tables.define(tables)
    tables.table(
        "balance",
        Column("owner", Text, primary_key=True),
        Column("points", Integer, CheckConstraint("points >= 0"), nullable=False),
    )
    migrations.create(tables)
