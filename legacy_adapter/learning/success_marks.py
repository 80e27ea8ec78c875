"""Learning's port for the first success in a submission's document."""

from collections.abc import Mapping
from typing import Final

from extracted.learning.rewards.domain import SuccessMark
from legacy_adapter.documents.port import Document, DocumentCondition, DocumentStore
from legacy_adapter.learning.collections import SUBMISSIONS

REWARD: Final = "rewardId"
"""A field of ours. The monolith neither shows it nor removes it: it writes its own fields one by one."""
_FIRST: Final = ("lastSuccess",)


class LegacySuccessMarks:
    """Implements the port SuccessMarks."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def read(self, submission_id: str) -> SuccessMark | None:
        """None: there is no such document."""
        return _mark(await self._documents.find_one(SUBMISSIONS, submission_id))

    async def mark(self, submission_id: str, success: Mapping[str, object], reward_id: str) -> SuccessMark | None:
        """One command, so that of two first successes at once, whoever writes them, one is the first."""
        fields = {"lastSuccess": success, REWARD: reward_id}
        return await self._marked(submission_id, fields, DocumentCondition(missing=_FIRST))

    async def finish(self, submission_id: str, attempt_at: str, reward_id: str, at: str) -> SuccessMark | None:
        """Reads what was sent from the last attempt; the condition tells if it was replaced since."""
        found = await self._documents.find_one(SUBMISSIONS, submission_id)
        if found is None:
            return None
        fields = {"lastSuccess": {**(found.get("lastAttempt") or {}), "at": at}, REWARD: reward_id}
        unchanged = DocumentCondition(missing=_FIRST, texts={"lastAttempt.at": attempt_at})
        return await self._marked(submission_id, fields, unchanged)

    async def _marked(self, submission_id: str, fields: Document, condition: DocumentCondition) -> SuccessMark | None:
        changed = await self._documents.set_fields(SUBMISSIONS, submission_id, fields, condition)
        return _mark(changed) or await self.read(submission_id)


def _mark(document: Document | None) -> SuccessMark | None:
    if document is None:
        return None
    return SuccessMark(document.get("lastSuccess") is not None, document.get(REWARD))
