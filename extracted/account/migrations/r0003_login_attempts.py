"""Creates the table of failed log-ins. Do not change it: add a revision."""

from sqlalchemy import Column, Float, Text

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The third revision."""
    own = own_tables()
    attempts = own.table(
        "login_attempts",
        Column("key", Text, primary_key=True),
        Column("level", Float(53), nullable=False),
        Column("at", Instant, nullable=False),
        *(Column(name, Instant) for name in ("blocked_until", "known_until")),
        Column("expires_at", Instant, nullable=False),
    )
    own.index("login_attempts_expiry", attempts.c.expires_at)
    create(own)
