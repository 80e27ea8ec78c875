"""Earns rewards, exactly once, with the monolith on the other side (docs/submissions.md).

1. The row INTENDED. 2. Success and reward id in the document, by one conditional command. 3. The row EARNED and the
message to Account, in one transaction. What ends in between is finished by `recover`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog

from chassis.failpoints import reach
from extracted.learning.domain import NotFound
from extracted.learning.rewards.domain import Reward, RewardState, SuccessMark, settles
from extracted.learning.rewards.payments import PaymentReplies
from extracted.learning.rewards.ports import RewardStore, SuccessMarks
from extracted.learning.submissions.domain import CodeAttempt, CodeSubmission, StoredSubmission

log = structlog.get_logger("learning.rewards")

LEFT_AFTER: Final = timedelta(seconds=2)
"""A row that is INTENDED for so long is probably left over. All steps may be taken twice, so a wrong guess is safe."""
WITHDRAWN_AFTER: Final = timedelta(minutes=10)
"""Longer than any request. Nobody was told of a success that is not in the document, so nothing is owed for it."""
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class RewardService:
    """`clock` in UTC."""

    rewards: RewardStore
    marks: SuccessMarks
    payments: PaymentReplies
    clock: Callable[[], datetime]

    async def earn(self, new: CodeSubmission, stored: StoredSubmission, success: CodeAttempt, amount: int) -> None:
        """Stores the success, and waits for the payment, but not long.

        Raises StoreUnavailable, NotFound if the submission's document is gone.
        """
        assert stored.last_attempt is not None, "it was stored just before"
        now = self.clock()
        reward = await self.rewards.intend(
            Reward(
                id=str(uuid4()),
                user_id=new.user_id,
                component_id=new.component_id,
                content_id=new.content_id,
                submission_id=stored.id,
                attempt_at=stored.last_attempt["at"],
                amount=amount,
                state=RewardState.INTENDED,
                created_at=now,
                changed_at=now,
            )
        )
        await reach("learning.reward_intended")
        mark = await self.marks.mark(stored.id, success.stored(), reward.id)
        await reach("learning.success_marked")
        if mark is None:
            await self.rewards.withdraw(reward)
            raise NotFound("submission")
        with self.payments.expected(reward.id) as payment:
            if await self._settle(reward, mark, payment.reply_to):
                await payment.over()

    async def recover(self) -> int:
        """Finishes what was left over; how many rows it looked at. Raises StoreUnavailable."""
        before, after, looked = self.clock() - LEFT_AFTER, None, 0
        while page := await self.rewards.intended(before, after, PAGE):
            for reward in page:
                await self._recover(reward)
            looked, after = looked + len(page), page[-1].id
        return looked

    async def _recover(self, reward: Reward) -> None:
        mark = await self.marks.read(reward.submission_id)
        if mark is not None and not mark.has_success:
            at = str(int(self.clock().timestamp() * 1000))
            mark = await self.marks.finish(reward.submission_id, reward.attempt_at, reward.id, at)
        await self._settle(reward, mark or SuccessMark(False))

    async def _settle(self, reward: Reward, mark: SuccessMark, reply_to: str | None = None) -> bool:
        """Whether this has earned it."""
        match settles(reward, mark):
            case RewardState.EARNED:
                is_first = await self.rewards.earn(reward, reply_to)
                if is_first:
                    log.info("reward_earned", reward_id=reward.id, user_id=reward.user_id, amount=reward.amount)
                await reach("learning.reward_earned")
                return is_first
            case RewardState.PAID_ELSEWHERE:
                await self.rewards.paid_elsewhere(reward)
            case RewardState.INTENDED if reward.changed_at < self.clock() - WITHDRAWN_AFTER:
                await self.rewards.withdraw(reward)
        return False
