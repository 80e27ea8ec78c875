"""A reward as a value, and what its payment comes to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

REWARD: Final = "reward"
"""The kind of a reward's entry in the ledger."""
MOST_POINTS: Final = 2**31 - 1
"""The highest balance that its column holds."""


@dataclass(frozen=True, slots=True)
class EarnedReward:
    """What a user has earned, once: `id` is the business key. `amount` in points."""

    id: str
    user_id: str
    amount: int


class RewardOutcome(StrEnum):
    """PAID_BEFORE: the message came again. The last two are recorded, and pay nothing, now or later."""

    PAID = "paid"
    PAID_BEFORE = "paid_before"
    USER_DELETED = "user_deleted"
    TOO_MANY_POINTS = "too_many_points"


@dataclass(frozen=True, slots=True)
class PaidReward:
    """An entry of the ledger. `amount` 0: the user had too many points. `points_after` None: the user was deleted."""

    id: str
    amount: int
    points_after: int | None
    at: datetime
