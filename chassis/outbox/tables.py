"""The tables of outbox, inbox and failed messages of a service. Its first migration creates them."""

from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from chassis.database.own_tables import Instant, OwnTables

_VACUUM = {"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 5000}
"""Rows are in the index of waiting messages for seconds only, so the number of dead rows matters, not their share."""


def define(tables: OwnTables) -> None:
    """Defines all three, for a migration."""
    outbox(tables)
    inbox(tables)
    failed_messages(tables)


def outbox(tables: OwnTables) -> Table:
    """One row a message. `destination`: exchange, blank, type. A lease: `claimed_until`, held by `claim`."""
    table = tables.table(
        "outbox",
        Column("message_id", Text, primary_key=True),
        Column("destination", Text, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("properties", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("claim", Text),
        Column("claimed_until", Instant),
        Column("published_at", Instant),
        postgresql_with=_VACUUM,
    )
    waiting, published = table.c.published_at.is_(None), table.c.published_at.is_not(None)
    tables.index("outbox_waiting", table.c.destination, table.c.created_at, where=waiting)
    tables.index("outbox_published", table.c.published_at, where=published)
    return table


def inbox(tables: OwnTables) -> Table:
    """One row for each message that a consumer has handled."""
    table = tables.table(
        "inbox",
        Column("consumer", Text, nullable=False),
        Column("message_id", Text, nullable=False),
        Column("handled_at", Instant, nullable=False),
        PrimaryKeyConstraint("consumer", "message_id"),
    )
    tables.index("inbox_handled", table.c.handled_at)
    return table


def failed_messages(tables: OwnTables) -> Table:
    """One row a failed message. `size`: of the body in bytes; a huge body is not kept (`body` NULL).

    `next_attempt_at` NULL: it waits for a human. `message_id` and `type` are NULL unless they are text. The table is
    named `parked` in all databases.
    """
    table = tables.table(
        "parked",
        Column("id", Text, primary_key=True),
        Column("queue", Text, nullable=False),
        Column("message_id", Text),
        Column("type", Text),
        Column("properties", Text, nullable=False),
        Column("body", LargeBinary),
        Column("size", Integer, nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("next_attempt_at", Instant),
        Column("first_at", Instant, nullable=False),
        Column("last_at", Instant, nullable=False),
    )
    tables.index("parked_due", table.c.queue, table.c.next_attempt_at, where=table.c.next_attempt_at.is_not(None))
    return table
