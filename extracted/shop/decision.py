"""What becomes of a purchase in the shop: decided once, by whichever command comes first, and only repeated after."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """DECREASED: sold, one less is left. CANCELLED: it will never be sold."""

    DECREASED = "decreased"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a purchase is refused."""

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
class Decision:
    """`reason`: of a refusal alone."""

    outcome: Outcome
    reason: Reason | None = None


DECREASED: Final = Decision(Outcome.DECREASED)
CANCELLED: Final = Decision(Outcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a purchase while nobody else can decide on that user and item.

    `decided`: its decision, for `purchase`, if there is one. `is_owned`: another purchase of the item by the user, or
    the monolith, left a live row. `is_limited`: somebody has set a quantity, so one has to be taken.
    """

    purchase: Purchase | None
    decided: Decision | None
    is_owned: bool
    has_user: bool
    is_limited: bool


def refusal(known: Known) -> Decision | None:
    """Why a purchase that is not decided yet cannot be sold, whatever is left; None: it can."""
    if known.is_owned:
        return Decision(Outcome.REFUSED, Reason.ALREADY_OWNED)
    return None if known.has_user else Decision(Outcome.REFUSED, Reason.USER_DELETED)


def sold(*, taken: bool) -> Decision:
    """By whether there was one left to take."""
    return DECREASED if taken else Decision(Outcome.REFUSED, Reason.OUT_OF_STOCK)
