"""Items, quantities and transactions as values, and who administers them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Item:
    """`cost` in points. `data` is what the buyer pays for; None for those who have not bought it.

    A change may set any of the three to None, because the monolith's validator accepts null.
    """

    id: str
    cost: float | None
    type: str | None
    data: Mapping[str, object] | None

    def withheld(self) -> "Item":
        """The item for somebody who has not bought it."""
        return replace(self, data=None)


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """A page of items. `types` None: every type. `cost_descending` None: no order."""

    offset: int
    limit: int
    types: Collection[str] | None = None
    cost_descending: bool | None = None


ItemFields = Mapping[str, object]
"""`cost`, `type`, `data`: all three for a new item, some of them for a change."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An item as it can be bought now. `transaction_id`: set if the user has bought it already."""

    item: Item
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """How many of an item are left; None: unlimited."""

    left: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A user has bought an item."""

    id: str
    user_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class OwnedItems:
    """One page of the ids of items that a user has bought, and their number on all pages."""

    page: Sequence[str]
    total: int


@dataclass(frozen=True, slots=True)
class Transactions:
    """One page, and the number of transactions on all pages."""

    page: Sequence[Transaction]
    total: int


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A stored row, deleted or not, whoever wrote it. User and item may be missing: rows outlive them."""

    id: str
    user_id: str | None
    item_id: str | None
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A stored row. `outcome`: decreased, refused, cancelled; `reason`: only a refusal has one."""

    purchase_id: str
    user_id: str
    item_id: str
    outcome: str
    reason: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class StockRow:
    """A stored row: initial + restocked = available + sold. `available` None: unlimited again."""

    item_id: str
    initial: int
    restocked: int
    sold: int
    available: int | None


def administers(roles: Collection[str]) -> bool:
    """Administrators see and change everything. Others see what they have bought."""
    return ADMIN in roles
