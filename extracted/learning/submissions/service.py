"""The use cases of submissions, in the order of contract §6.4."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from chassis.failpoints import reach
from extracted.learning.domain import Compat, NotFound
from extracted.learning.submissions import domain
from extracted.learning.submissions.domain import (
    CodeAttempt,
    CodeResult,
    CodeSubmission,
    Json,
    StoredSubmission,
    SubmissionResult,
    ValidatorCase,
)
from extracted.learning.submissions.places import RunPlaces
from extracted.learning.submissions.ports import CodeJob, CodeRunner, SubmissionStore


class FirstSuccess(Protocol):
    """The rewards: what happens at the first success of a user and a component."""

    async def earn(self, new: CodeSubmission, stored: StoredSubmission, success: CodeAttempt, amount: int) -> None:
        """Stores the success, and the reward if no other success was first. Raises StoreUnavailable, NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class ValidatorRuns:
    """Runs one validator. `clock` in UTC."""

    store: SubmissionStore
    runner: CodeRunner
    compat: Compat
    clock: Callable[[], datetime]
    places: RunPlaces

    async def try_one(self, user_id: str, validator_id: str, language: str, code: str) -> tuple[bool, CodeResult]:
        """Stores nothing. Raises NotFound, Unexpected, RunFailed, RunnerBusy, StoreUnavailable."""
        validator = await self.store.validator(validator_id)
        if validator is None:
            raise NotFound("validator")
        one = domain.case(validator)
        async with self.places.taken() as left_s:
            (result,) = await self.run(user_id, language, code, [one], left_s())
        return domain.passes(result, one.expected), result

    async def run(
        self, user_id: str, language: str, code: str, cases: Sequence[ValidatorCase], deadline_s: float
    ) -> Sequence[CodeResult]:
        """One job for all of them. Without any, nothing is run."""
        if not cases:
            return ()
        inputs = [one.stdin for one in cases]
        is_strict = self.compat is Compat.STRICT
        return await self.runner.run(CodeJob(user_id, language, code, inputs, deadline_s, is_strict))

    def attempt(self, language: str, code: str) -> CodeAttempt:
        """Made now."""
        return CodeAttempt(str(int(self.clock().timestamp() * 1000)), language, code)


@dataclass(frozen=True, slots=True)
class SubmissionService:
    """Runs a submission and stores what it came to."""

    runs: ValidatorRuns
    rewards: FirstSuccess

    async def submit(self, new: CodeSubmission) -> SubmissionResult:
        """Raises NotFound, Unexpected, ValueRefused, RunFailed, RunnerBusy, StoreUnavailable."""
        async with self.runs.places.taken() as left_s:
            return await self._submit(new, left_s)

    async def _submit(self, new: CodeSubmission, left_s: Callable[[], float]) -> SubmissionResult:
        store = self.runs.store
        component = await store.component(new.component_id)
        if component is None:
            raise NotFound("component")
        attempt = self.runs.attempt(new.language, new.code)
        stored = await store.attempted(new.user_id, new.component_id, attempt)
        await reach("learning.attempt_stored")
        verdict = await self._verdict(new, component, left_s())
        await reach("learning.code_run")
        if verdict.success:
            await self._succeed(new, stored, attempt)
        return verdict

    async def _verdict(self, new: CodeSubmission, component: Json, deadline_s: float) -> SubmissionResult:
        validators = domain.validators_of(component)
        if validators is None:
            return SubmissionResult(False)
        cases = [domain.case(validator) for validator in validators]
        results = await self.runs.run(new.user_id, new.language, new.code, cases, deadline_s)
        return domain.verdict(cases, results, self.runs.compat)

    async def _succeed(self, new: CodeSubmission, stored: StoredSubmission, attempt: CodeAttempt) -> None:
        amount = await self._amount(new) if stored.last_success is None else 0
        success = replace(attempt, at=self.runs.attempt(new.language, new.code).at)
        if amount:
            await self.rewards.earn(new, stored, success, amount)
        else:
            await self.runs.store.succeeded(stored.id, success)
        await reach("learning.success_stored")

    async def _amount(self, new: CodeSubmission) -> int:
        store = self.runs.store
        content = await store.content(new.content_id)
        if content is None:
            raise NotFound("content")
        amount = domain.amount(content, new.component_id)
        if amount and not await store.has_user(new.user_id):
            raise NotFound("user")
        return amount
