"""Pays rewards. A payment that is impossible is recorded and logged; asking again changes nothing."""

from dataclasses import dataclass

import structlog

from chassis.failpoints import reach
from extracted.account.rewards.domain import EarnedReward, RewardOutcome
from extracted.account.rewards.ports import RewardLedger

log = structlog.get_logger("account.rewards")


@dataclass(frozen=True, slots=True)
class RewardPayments:
    """One per process."""

    ledger: RewardLedger

    async def pay(self, reward: EarnedReward) -> None:
        """Raises StoreUnavailable."""
        outcome = await self.ledger.pay(reward)
        if outcome in (RewardOutcome.USER_DELETED, RewardOutcome.TOO_MANY_POINTS):
            log.warning("reward_not_paid", reward_id=reward.id, user_id=reward.user_id, reason=outcome.value)
        await reach("account.reward_paid")
