"""A reward as a value, and what the stored submission says about it.

A success is stored in the monolith's document together with the id of the reward that it earns. The monolith keeps that
field when it writes, so it tells for ever whose success was the first: the points are paid only if it is ours.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RewardState(StrEnum):
    """INTENDED until the document is known to say whose success was first. The other two never change."""

    INTENDED = "intended"
    EARNED = "earned"
    PAID_ELSEWHERE = "paid_elsewhere"


@dataclass(frozen=True, slots=True)
class Reward:
    """At most one for each user and component. `attempt_at`: `lastAttempt.at` of the attempt that succeeded."""

    id: str
    user_id: str
    component_id: str
    content_id: str
    submission_id: str
    attempt_at: str
    amount: int
    state: RewardState
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SuccessMark:
    """What a submission's document says: whether there is a success, and for which reward of ours."""

    has_success: bool
    reward_id: str | None = None


def settles(reward: Reward, mark: SuccessMark) -> RewardState:
    """The state that the document asks for."""
    if not mark.has_success:
        return RewardState.INTENDED
    return RewardState.EARNED if mark.reward_id == reward.id else RewardState.PAID_ELSEWHERE
