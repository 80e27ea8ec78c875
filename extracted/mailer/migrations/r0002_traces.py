"""Adds the trace of what asked for a mail. Do not change it: add a revision."""

from alembic import op
from sqlalchemy import Column, Text

from chassis.database.migrations import own_tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The second revision."""
    own = own_tables()
    op.add_column(own.name("mails"), Column("traceparent", Text), schema=own.schema)
