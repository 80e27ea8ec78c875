"""Mails, contents, events, bounces, suppressions, parked messages. As they were made: what changes later has a
revision of its own."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text, literal_column

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant, OwnTables
from chassis.outbox import tables as message_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing was there before."""
    own = own_tables()
    message_tables.failed_messages(own)
    _mails(own)
    own.table("contents", Column("id", Text, primary_key=True), Column("content", LargeBinary, nullable=False))
    _events(own)
    own.table(
        "bounces",
        *(Column(name, Text, nullable=False) for name in ("recipient", "mail_id")),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("recipient", "at", "mail_id"),
    )
    own.table(
        "suppressions",
        Column("recipient", Text, primary_key=True),
        *(Column(name, Instant, nullable=False) for name in ("since", "until")),
        Column("reason", Text, nullable=False),
    )
    create(own)


def _mails(own: OwnTables) -> None:
    table = own.table(
        "mails",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("key", "digest", "kind", "recipient", "policy", "state")),
        *(Column(name, Text) for name in ("locale", "variables", "content_id", "sender", "message_id")),
        *(Column(name, Integer, nullable=False) for name in ("attempts", "ambiguities")),
        *(Column(name, Text) for name in ("reason", "response", "claim")),
        *(Column(name, Instant, nullable=False) for name in ("created_at", "changed_at", "queued_at")),
        *(Column(name, Instant) for name in ("due_at", "lease_until")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 5000},
    )
    row, waits = table.c, table.c.due_at.is_not(None)
    fresh, again = row.attempts == literal_column("0"), row.attempts > literal_column("0")
    own.index("mails_key", row.key, unique=True)
    own.index("mails_fresh", row.due_at, where=waits & fresh)
    own.index("mails_again", row.due_at, where=waits & again)
    own.index("mails_waiting", row.queued_at, where=waits & fresh)
    own.index("mails_leased", row.lease_until, where=row.lease_until.is_not(None))
    own.index("mails_state", row.state, row.created_at, row.id)
    own.index("mails_created", row.created_at, row.id)
    own.index("mails_recipient", row.recipient, row.created_at)
    own.index("mails_content", row.content_id, where=row.content_id.is_not(None))


def _events(own: OwnTables) -> None:
    table = own.table(
        "events",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("mail_id", Text, nullable=False),
        Column("at", Instant, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("state", "detail")),
        Column("by", Text),
    )
    own.index("events_mail", table.c.mail_id)
