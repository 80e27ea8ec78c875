"""Creates the tables of sign-in with an identity server: sessions, what was exchanged for them, users that moved.

Do not change it: add a revision.
"""

from sqlalchemy import Column, Text

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The second revision."""
    own = own_tables()
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
        *(Column(name, Text, nullable=False) for name in ("session_id", "row_id")),
        Column("expires_at", Instant, nullable=False),
    )
    own.index("session_credentials_session", credentials.c.session_id)
    own.index("session_credentials_expiry", credentials.c.expires_at)
    own.table("moved_users", Column("user_id", Text, primary_key=True), Column("moved_at", Instant, nullable=False))
    create(own)
