"""The table of rewards; `migrations/` makes it."""

from sqlalchemy import Column, Integer, Table, Text

from chassis.database.own_tables import Instant, OwnTables
from extracted.learning.rewards.domain import RewardState


def define(own: OwnTables) -> Table:
    """Rows are kept for ever: they are the business key. Call it once per metadata."""
    table = own.table(
        "rewards",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("component_id", Text, nullable=False),
        Column("content_id", Text, nullable=False),
        Column("submission_id", Text, nullable=False),
        Column("attempt_at", Text, nullable=False),
        Column("amount", Integer, nullable=False),
        Column("state", Text, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("changed_at", Instant, nullable=False),
    )
    own.index("rewards_first", table.c.user_id, table.c.component_id, unique=True)
    own.index("rewards_intended", table.c.changed_at, where=table.c.state == RewardState.INTENDED.value)
    return table
