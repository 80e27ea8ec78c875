"""What the shop decides on a purchase. The first command decides; every later one gets the same decision."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SaleOutcome(StrEnum):
    """DECREASED: sold, so one less is left. CANCELLED: will never be sold."""

    DECREASED = "decreased"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class SaleRefusal(StrEnum):
    """Why the shop refuses a purchase."""

    ALREADY_OWNED = "already_owned"
    USER_DELETED = "user_deleted"
    OUT_OF_STOCK = "out_of_stock"


@dataclass(frozen=True, slots=True)
class Purchase:
    """What Account has charged a user for. Ids in canonical form."""

    id: str
    user_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class SaleDecision:
    """`reason`: only a refusal has one."""

    outcome: SaleOutcome
    reason: SaleRefusal | None = None


DECREASED: Final = SaleDecision(SaleOutcome.DECREASED)
CANCELLED: Final = SaleDecision(SaleOutcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class Known:
    """What the stores hold about a purchase while nobody else can decide on that user and item.

    `decided`: the earlier decision, if any, and `purchase`: what it was made for. `is_owned`: the user has the item,
    by another purchase or from the monolith. `is_limited`: the item has a quantity, so one has to be taken.
    """

    purchase: Purchase | None
    decided: SaleDecision | None
    is_owned: bool
    has_user: bool
    is_limited: bool


def refusal(known: Known) -> SaleDecision | None:
    """The refusal of an undecided purchase, whatever quantity is left. None: it can be sold."""
    if known.is_owned:
        return SaleDecision(SaleOutcome.REFUSED, SaleRefusal.ALREADY_OWNED)
    return None if known.has_user else SaleDecision(SaleOutcome.REFUSED, SaleRefusal.USER_DELETED)


def sold(*, taken: bool) -> SaleDecision:
    """A sale, or a refusal if nothing was left to take."""
    return DECREASED if taken else SaleDecision(SaleOutcome.REFUSED, SaleRefusal.OUT_OF_STOCK)
