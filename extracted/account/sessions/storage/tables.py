"""Account's own tables for sessions of the identity server."""

from dataclasses import dataclass

from sqlalchemy import Column, Table, Text

from chassis.database.own_tables import Instant, OwnTables


@dataclass(frozen=True, slots=True)
class SessionTables:
    """`sessions`: those that ended, and those for which something was exchanged; rows go when they expire.

    `credentials`: which row of the monolith's tokens was made for which session, by the digest of the token.
    """

    own: OwnTables
    sessions: Table
    credentials: Table


def define(own: OwnTables) -> SessionTables:
    """Defines them; call it once per metadata."""
    sessions = own.table(
        "sessions",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("ended_at", Instant),
        Column("expires_at", Instant, nullable=False),
    )
    own.index("sessions_expiry", sessions.c.expires_at)
    credentials = own.table(
        "session_credentials",
        Column("digest", Text, primary_key=True),
        Column("session_id", Text, nullable=False),
        Column("row_id", Text, nullable=False),
        Column("expires_at", Instant, nullable=False),
    )
    own.index("session_credentials_session", credentials.c.session_id)
    own.index("session_credentials_expiry", credentials.c.expires_at)
    return SessionTables(own, sessions, credentials)
