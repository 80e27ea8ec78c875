"""What Account's audit asks about the monolith's rows, as conditions for its statements."""

from sqlalchemy import ColumnElement, cast, exists

from legacy_adapter.tables import MonolithUuid, transactions, users


class LegacySoldRows:
    """Implements the port SoldRows. The columns (or values) contain ids in canonical form, as text."""

    def has_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """There is a row, removed or not."""
        return exists().where(transactions.c.id == cast(purchase_id, MonolithUuid))

    def has_live_row(self, purchase_id: ColumnElement[str]) -> ColumnElement[bool]:
        """There is a row that is not removed."""
        return exists().where(transactions.c.id == cast(purchase_id, MonolithUuid), transactions.c.deleted_at.is_(None))

    def has_user(self, user_id: ColumnElement[str]) -> ColumnElement[bool]:
        """The user is not deleted; a deleted user's rows are gone, too."""
        return exists().where(users.c.id == cast(user_id, MonolithUuid))

    def is_bought_otherwise(
        self, purchase_id: ColumnElement[str], user_id: ColumnElement[str], item_id: ColumnElement[str]
    ) -> ColumnElement[bool]:
        """There is a live row of the user and the item with another id."""
        row = transactions.c
        same = (row.user_id == cast(user_id, MonolithUuid), row.item_id == cast(item_id, MonolithUuid))
        return exists().where(*same, row.id != cast(purchase_id, MonolithUuid), row.deleted_at.is_(None))
