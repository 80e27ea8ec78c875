"""Mailer's own tables; `migrations/` creates them."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, literal_column

from chassis.database.own_tables import Instant, OwnTables

_VACUUM = {"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 5000}
"""Each mail leaves dead rows in small indexes within seconds: vacuum by their number, not by their share."""


@dataclass(frozen=True, slots=True)
class MailTables:
    """Made once per process, by `define`."""

    own: OwnTables
    mails: Table
    contents: Table
    events: Table
    bounces: Table
    suppressions: Table


def define(own: OwnTables) -> MailTables:
    """Adds the tables to metadata without them."""
    return MailTables(own, _mails(own), _contents(own), _events(own), _bounces(own), _suppressions(own))


def _mails(own: OwnTables) -> Table:
    """`digest`: of recipient and content. `due_at`: set while a mail can be claimed; `lease_until`: while it is.

    `queued_at`: since when it waits to be sent. `traceparent`: of what asked for the mail. Templated mails have
    `variables`, raw ones `content_id` and `sender`; if both are empty, the content was removed.
    """
    table = own.table(
        "mails",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("key", "digest", "kind", "recipient", "policy", "state")),
        *(Column(name, Text) for name in ("locale", "variables", "content_id", "sender", "message_id", "traceparent")),
        *(Column(name, Integer, nullable=False) for name in ("attempts", "ambiguities")),
        *(Column(name, Text) for name in ("reason", "response", "claim")),
        *(Column(name, Instant, nullable=False) for name in ("created_at", "changed_at", "queued_at")),
        *(Column(name, Instant) for name in ("due_at", "lease_until")),
        postgresql_with=_VACUUM,
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
    return table


def _contents(own: OwnTables) -> Table:
    """Whole messages, one for all its recipients."""
    return own.table(
        "contents",
        Column("id", Text, primary_key=True),
        Column("content", LargeBinary, nullable=False),
    )


def _events(own: OwnTables) -> Table:
    """The history of each mail, in the order of the ids."""
    table = own.table(
        "events",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("mail_id", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Column("state", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("by", Text),
    )
    own.index("events_mail", table.c.mail_id)
    return table


def _bounces(own: OwnTables) -> Table:
    """Hard bounces, by address."""
    return own.table(
        "bounces",
        Column("recipient", Text, nullable=False),
        Column("mail_id", Text, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("recipient", "at", "mail_id"),
    )


def _suppressions(own: OwnTables) -> Table:
    """Addresses that nothing is sent to before `until`."""
    return own.table(
        "suppressions",
        Column("recipient", Text, primary_key=True),
        Column("since", Instant, nullable=False),
        Column("until", Instant, nullable=False),
        Column("reason", Text, nullable=False),
    )
