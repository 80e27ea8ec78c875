"""Adds to interventions who asked for them. Do not change it: add a revision."""

from alembic import op
from sqlalchemy import Column, Text

from chassis.database.migrations import own_tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The fourth revision."""
    own = own_tables()
    op.add_column(own.name("interventions"), Column("by", Text), schema=own.schema)
