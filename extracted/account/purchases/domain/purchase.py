"""Purchases, requests for them and offers as values, and what a cost comes to in points."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from extracted.account.purchases.domain.saga import BLOCKING, OPEN, State

MOST_POINTS = 2**31 - 1
"""The column that holds a balance takes no more."""
UNPAYABLE = MOST_POINTS + 1
"""What a higher price is kept as."""


class Outcome(StrEnum):
    """Of a request to buy, in the words of the reply to the gateway."""

    ACCEPTED = "accepted"
    ALREADY_OWNED = "already_owned"
    INSUFFICIENT_POINTS = "insufficient_points"
    UNKNOWN_ITEM = "unknown_item"
    USER_DELETED = "user_deleted"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a purchase is REJECTED (the first two) or REFUNDED."""

    INSUFFICIENT_POINTS = "insufficient_points"
    USER_DELETED = "user_deleted"
    OUT_OF_STOCK = "out_of_stock"
    ALREADY_OWNED = "already_owned"
    CANCELLED = "cancelled"


class CostInvalid(Exception):
    """A cost that cannot be paid: the monolith fails over it, too, or nobody should be paid for buying."""


class UnknownPurchase(Exception):
    """There is no purchase with that id."""


@dataclass(frozen=True, slots=True)
class Item:
    """As Shop tells it; what a client is shown. Frozen with a purchase at its debit."""

    id: str
    cost: float | None
    type: str | None
    data: Mapping[str, object] | None

    def shown(self) -> dict[str, object]:
        """In the order of the contract."""
        return {"id": self.id, "cost": self.cost, "type": self.type, "data": self.data}


@dataclass(frozen=True, slots=True)
class Offer:
    """`transaction_id`: the live row of this user and item, whoever wrote it."""

    item: Item
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish to buy. `id` names it, and the purchase that it creates; `digest` is that of a message's content.

    `item_id` as spelled; `digest` None: it came by no message, and is not kept.
    """

    id: str
    user_id: str
    item_id: str
    digest: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is kept of a message, for ever. `purchase_id`: where it led."""

    id: str
    user_id: str
    item_id: str
    digest: str
    outcome: Outcome
    purchase_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Purchase:
    """`price` in points, `item` as at the debit. `asks`: commands sent so far. `revoked`: the row is gone since."""

    id: str
    user_id: str
    item_id: str
    item: Item
    price: int
    state: State
    created_at: datetime
    reason: Reason | None = None
    asks: int = 0
    first_confirmed_at: datetime | None = None
    cancelling_at: datetime | None = None
    settled_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Shop has not answered."""
        return self.state in OPEN

    @property
    def blocks(self) -> bool:
        """No other purchase of the same user and item may be debited."""
        return self.state in BLOCKING and self.revoked_at is None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger; `points_after` is None where the user was gone. At most one of a kind a purchase."""

    purchase_id: str
    kind: str
    delta: int
    points_after: int | None
    at: datetime


DEBIT, REFUND, CHARGED_TWICE = "debit", "refund", "charged_twice"
"""Kinds of entries."""


def command_id(purchase_id: str, number: int) -> str:
    """The message id of a purchase's command, counted from 0: a new one each time, and always the same."""
    return str(uuid.uuid5(uuid.UUID(purchase_id), f"command {number}"))


def whole_price(cost: float | None) -> int | None:
    """In points; null is nothing; None where the balance has to be looked at first. Raises CostInvalid."""
    cost = cost or 0
    if cost < 0:
        raise CostInvalid("the cost is negative")
    if cost > MOST_POINTS:
        return UNPAYABLE
    return int(cost) if cost == int(cost) else None


def fractional_price(cost: float, points: int) -> int:
    """What the monolith's arithmetic in doubles takes, or UNPAYABLE. Raises CostInvalid for half a point."""
    left = points - cost
    if left < 0:
        return UNPAYABLE
    if left != int(left):
        raise CostInvalid("the points column takes whole numbers alone")
    return points - int(left)
