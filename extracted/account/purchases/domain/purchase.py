"""Purchases, requests to buy and offers as values, and the price of a cost in points."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from extracted.account.purchases.domain.saga import BLOCKING, OPEN, PurchaseState

MOST_POINTS = 2**31 - 1
"""The highest balance that its column holds."""
UNPAYABLE = MOST_POINTS + 1
"""Stands for every higher price."""


class RequestOutcome(StrEnum):
    """What a request to buy comes to, in the words of the reply to the gateway."""

    ACCEPTED = "accepted"
    ALREADY_OWNED = "already_owned"
    INSUFFICIENT_POINTS = "insufficient_points"
    UNKNOWN_ITEM = "unknown_item"
    USER_DELETED = "user_deleted"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class FailureReason(StrEnum):
    """Why a purchase is REJECTED (the first two) or REFUNDED."""

    INSUFFICIENT_POINTS = "insufficient_points"
    USER_DELETED = "user_deleted"
    OUT_OF_STOCK = "out_of_stock"
    ALREADY_OWNED = "already_owned"
    CANCELLED = "cancelled"


class CostInvalid(Exception):
    """A cost that nobody can pay: it is negative, or the monolith fails on it, too."""


class UnknownPurchase(Exception):
    """There is no purchase with that id."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as Shop describes it and as clients see it. A purchase keeps a copy from its debit."""

    id: str
    cost: float | None
    type: str | None
    data: Mapping[str, object] | None

    def shown(self) -> dict[str, object]:
        """In the contract's order."""
        return {"id": self.id, "cost": self.cost, "type": self.type, "data": self.data}


@dataclass(frozen=True, slots=True)
class Offer:
    """`transaction_id`: the live row of this user and item, whether the monolith or Shop wrote it."""

    item: Item
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """A request to buy. Its `id` is also the id of the purchase that it creates.

    `item_id` as spelled. `digest`: of the message's content; None: it came by a call and is not stored.
    """

    id: str
    user_id: str
    item_id: str
    digest: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is stored of a request, for ever. `purchase_id`: the purchase that it led to."""

    id: str
    user_id: str
    item_id: str
    digest: str
    outcome: RequestOutcome
    purchase_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Purchase:
    """`price` in points, `item` as at the debit. `asks`: commands sent so far. `revoked_at`: when its row was gone."""

    id: str
    user_id: str
    item_id: str
    item: Item
    price: int
    state: PurchaseState
    created_at: datetime
    reason: FailureReason | None = None
    asks: int = 0
    first_confirmed_at: datetime | None = None
    cancelling_at: datetime | None = None
    settled_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True until Shop answers."""
        return self.state in OPEN

    @property
    def blocks(self) -> bool:
        """While it is true, no other purchase of the same user and item is debited."""
        return self.state in BLOCKING and self.revoked_at is None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A line of the ledger, at most one per kind and purchase. `points_after` None: the user was deleted."""

    purchase_id: str
    kind: str
    delta: int
    points_after: int | None
    at: datetime


DEBIT, REFUND, CHARGED_TWICE = "debit", "refund", "charged_twice"
"""Kinds of ledger entries."""


def command_id(purchase_id: str, number: int) -> str:
    """The message id of a purchase's command number 0, 1, …; the same number always gives the same id."""
    return str(uuid.uuid5(uuid.UUID(purchase_id), f"command {number}"))


def whole_price(cost: float | None) -> int | None:
    """The price in points; a null cost is 0. None: it depends on the balance. Raises CostInvalid."""
    cost = cost or 0
    if cost < 0:
        raise CostInvalid("the cost is negative")
    if cost > MOST_POINTS:
        return UNPAYABLE
    return int(cost) if cost == int(cost) else None


def fractional_price(cost: float, points: int) -> int:
    """The points that the monolith's arithmetic in doubles takes, or UNPAYABLE. Raises CostInvalid for half a point."""
    left = points - cost
    if left < 0:
        return UNPAYABLE
    if left != int(left):
        raise CostInvalid("the points column stores whole numbers only")
    return points - int(left)
