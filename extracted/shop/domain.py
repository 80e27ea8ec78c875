"""Items and transactions as values, and who may see and change them."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

ADMIN = "admin"
_UUID = re.compile(r"(\{)?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}(?(1)\})")


@dataclass(frozen=True, slots=True)
class Item:
    """`cost` in points; `data` is what the buyer pays for, None while it is withheld.

    A change may set any of the three to None: the monolith's validator lets null pass.
    """

    id: str
    cost: float | None
    type: str | None
    data: Mapping[str, object] | None

    def withheld(self) -> "Item":
        """The item as one sees it who has not bought it."""
        return replace(self, data=None)


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """A page of items; None: every type, no order."""

    offset: int
    limit: int
    types: Collection[str] | None = None
    cost_descending: bool | None = None


ItemFields = Mapping[str, object]
"""`cost`, `type`, `data`: all of them for a new item, some for a change."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An item as it can be bought now. `transaction_id`: the user has bought it already."""

    item: Item
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """How many of an item are left; None: unlimited."""

    left: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """That a user has bought an item."""

    id: str
    user_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Transactions:
    """One page, and how many there are on all of them."""

    page: Sequence[Transaction]
    total: int


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """As it is kept, deleted or not; whoever wrote it. Ids of users and items may be missing: rows outlive them."""

    id: str
    user_id: str | None
    item_id: str | None
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """As it is kept, for ever. `outcome`: decreased, refused, cancelled; `reason`: of a refusal."""

    purchase_id: str
    user_id: str
    item_id: str
    outcome: str
    reason: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class StockRow:
    """initial + restocked = available + sold; `available` None: unlimited again."""

    item_id: str
    initial: int
    restocked: int
    sold: int
    available: int | None


def administers(roles: Collection[str]) -> bool:
    """Items in full, what changes them, and transactions are for administrators; others read what they bought."""
    return ADMIN in roles


def canonical_uuid(text: str) -> str | None:
    """36 lower-case characters from any spelling that PostgreSQL reads (its manual, §8.12); None for anything else."""
    return str(uuid.UUID(text)) if _UUID.fullmatch(text) else None
