"""What Account's audit asks of the monolith's rows, as conditions in its own statements."""

from sqlalchemy import ColumnElement, cast, exists

from legacy_adapter.tables import UuidText, transactions, users


class LegacySoldRows:
    """Implements the port Rows. All take columns (or values) with ids in canonical form, as text."""

    def has_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Its row is there, removed or not."""
        return exists().where(transactions.c.id == cast(purchase_id, UuidText))

    def has_live_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Its row is there and not removed."""
        return exists().where(transactions.c.id == cast(purchase_id, UuidText), transactions.c.deleted_at.is_(None))

    def has_user(self, user_id: ColumnElement[str]) -> ColumnElement[bool]:
        """The user has not been deleted: its rows go with it."""
        return exists().where(users.c.id == cast(user_id, UuidText))

    def is_bought_otherwise(
        self, purchase_id: ColumnElement[str], user_id: ColumnElement[str], item_id: ColumnElement[str]
    ) -> ColumnElement[bool]:
        """There is a live row of the user and the item under another id."""
        row = transactions.c
        same = (row.user_id == cast(user_id, UuidText), row.item_id == cast(item_id, UuidText))
        return exists().where(*same, row.id != cast(purchase_id, UuidText), row.deleted_at.is_(None))
