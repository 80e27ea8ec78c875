"""Creates the table of rewards. As it was made: what changes later has a revision of its own."""

from sqlalchemy import Column, Integer, Text

from chassis.database.migrations import create, own_tables
from chassis.database.own_tables import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rewards and their two indexes."""
    own = own_tables()
    table = own.table(
        "rewards",
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("user_id", "component_id", "content_id", "submission_id")),
        Column("attempt_at", Text, nullable=False),
        Column("amount", Integer, nullable=False),
        Column("state", Text, nullable=False),
        *(Column(name, Instant, nullable=False) for name in ("created_at", "changed_at")),
    )
    own.index("rewards_first", table.c.user_id, table.c.component_id, unique=True)
    own.index("rewards_intended", table.c.changed_at, where=table.c.state == "intended")
    create(own)
