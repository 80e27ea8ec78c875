"""What rewards need from outside: their own rows, and the success in the monolith's document."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from extracted.learning.rewards.domain import Reward, SuccessMark


class RewardStore(Protocol):
    """Learning's own rows. All methods raise StoreUnavailable."""

    async def intend(self, reward: Reward) -> Reward:
        """Adds the row. If there is one of this user and component, returns that, with the new values if INTENDED."""
        ...

    async def earn(self, reward: Reward, reply_to: str | None = None) -> bool:
        """INTENDED → EARNED and the message to Account, in one transaction. False: it was not INTENDED.

        `reply_to`: where Account says that it has paid.
        """
        ...

    async def paid_elsewhere(self, reward: Reward) -> None:
        """INTENDED → PAID_ELSEWHERE."""
        ...

    async def withdraw(self, reward: Reward) -> None:
        """Removes the row, unless it has changed since it was read."""
        ...

    async def intended(self, before: datetime, after: str | None, limit: int) -> Sequence[Reward]:
        """INTENDED and unchanged since then, in the order of their ids, after the id `after`."""
        ...


class RewardRecords(Protocol):
    """What operators read of the rows. Raises StoreUnavailable."""

    async def rows(self, after: str | None, limit: int) -> Sequence[Reward]:
        """A page in the order of the ids, after the id `after`."""
        ...

    async def unsettled(self) -> tuple[int, datetime | None]:
        """How many are INTENDED, and the time of the oldest."""
        ...


class SuccessMarks(Protocol):
    """The success in the monolith's document. All methods raise StoreUnavailable."""

    async def read(self, submission_id: str) -> SuccessMark | None:
        """None: there is no such document."""
        ...

    async def mark(self, submission_id: str, success: Mapping[str, object], reward_id: str) -> SuccessMark | None:
        """Stores success and reward unless there is a success, by one command. What the document then says."""
        ...

    async def finish(self, submission_id: str, attempt_at: str, reward_id: str, at: str) -> SuccessMark | None:
        """The same for the last attempt, if it is that of `attempt_at`. `at`: the time of the success.

        After a later attempt the monolith may be running it, and pays when it ends.
        """
        ...
