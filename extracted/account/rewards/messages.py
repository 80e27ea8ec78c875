"""The message of a reward, as Account's own copy. It ignores fields that it does not know."""

from datetime import datetime
from typing import Final

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id
from chassis.uuid_text import canonical_uuid
from extracted.account.rewards.domain import MOST_POINTS, EarnedReward

EARNED: Final = "learning.reward_earned.v1"
PAID: Final = "account.reward_paid.v1"
QUEUE: Final = "account.rewards"
REPLIES_EXCHANGE: Final = "learning.replies"


def earned_reward(envelope: Envelope) -> EarnedReward:
    """Raises MessageInvalid."""
    if envelope.type != EARNED:
        raise MessageInvalid(f"the type is {envelope.type}; wanted {EARNED}")
    return EarnedReward(_uuid(envelope, "rewardId"), _uuid(envelope, "userId"), _points(envelope, "amount"))


def paid(request: Envelope, reward: EarnedReward, time: datetime) -> Envelope:
    """The reply to Learning that waits for it."""
    body, request_id = {"rewardId": reward.id}, request.request_id
    return Envelope(new_id(), PAID, body, time, request_id=request_id, causation_id=request.id)


def _uuid(envelope: Envelope, name: str) -> str:
    value = envelope.body.get(name)
    if not isinstance(value, str) or canonical_uuid(value) != value:
        raise MessageInvalid(f"{name} is missing or not a UUID (36 characters, lower case)")
    return value


def _points(envelope: Envelope, name: str) -> int:
    value = envelope.body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MOST_POINTS:
        raise MessageInvalid(f"{name} is missing or not a whole number from 1 to {MOST_POINTS}")
    return value
