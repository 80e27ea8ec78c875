"""Purchases, requests, ledger, interventions; outbox, inbox, parked messages."""

from chassis import message_tables, migrations
from extracted.account.storage import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    own = migrations.own_tables()
    message_tables.define(own)
    tables.define(own)
    migrations.create(own)
