"""The tables of messages. As they were made: what changes later has a revision of its own."""

from chassis.database.migrations import create, own_tables
from chassis.outbox import tables as message_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing was there before."""
    own = own_tables()
    message_tables.define(own)
    create(own)
