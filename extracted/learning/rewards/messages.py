"""The message that tells Account of a reward."""

from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope
from extracted.learning.rewards.domain import Reward

EARNED: Final = "learning.reward_earned.v1"
EXCHANGE: Final = "learning.rewards"


def earned(reward: Reward, now: datetime, reply_to: str | None = None) -> Envelope:
    """The message has the reward's id, however often it is sent."""
    body = {
        "rewardId": reward.id,
        "userId": reward.user_id,
        "componentId": reward.component_id,
        "contentId": reward.content_id,
        "amount": reward.amount,
    }
    return Envelope(reward.id, EARNED, body, now, request_id=reward.id, reply_to=reply_to)
