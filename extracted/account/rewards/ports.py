"""What paying a reward needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from extracted.account.rewards.domain import EarnedReward, PaidReward, RewardOutcome


class RewardLedger(Protocol):
    """The ledger's entries of rewards, and the points. Raises StoreUnavailable."""

    async def pay(self, reward: EarnedReward) -> RewardOutcome:
        """Writes the entry and adds the points, in one transaction, at most once for each reward."""
        ...

    async def rows(self, after: str | None, limit: int) -> Sequence[PaidReward]:
        """A page in the order of the ids, after the id `after`."""
        ...
