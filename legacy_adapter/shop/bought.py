"""What the shop's decisions need of the monolith's tables, as parts of its own transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Table, exists, select

from legacy_adapter.tables import transactions, users


class LegacyBought:
    """Users and rows of `transactions`; ids in canonical form."""

    def is_owned(self, user_id: BindParameter[str], item_id: BindParameter[str]) -> ColumnElement[bool]:
        """There is a row that is not deleted."""
        row = transactions.c
        return exists().where(row.user_id == user_id, row.item_id == item_id, row.deleted_at.is_(None))

    def has_user(self, user_id: BindParameter[str]) -> ColumnElement[bool]:
        """Held by the lock that a foreign key takes: points may change meanwhile, the user cannot go."""
        held = select(users.c.id).where(users.c.id == user_id).with_for_update(read=True, key_share=True)
        return held.exists()

    @property
    def insertion(self) -> tuple[Table, Sequence[str]]:
        """A live row."""
        return transactions, ("id", "user_id", "item_id", "created_at", "updated_at")

    def row(self, row_id: str, user_id: str, item_id: str, now: datetime) -> Mapping[str, object]:
        """What it has in these columns."""
        return {"id": row_id, "user_id": user_id, "item_id": item_id, "created_at": now, "updated_at": now}
