"""What submissions need from outside: the monolith's documents, users, and Runner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extracted.learning.submissions.domain import CodeAttempt, CodeResult, Json, RewardedContent, StoredSubmission


class RunFailed(Exception):
    """Runner cannot be reached, refuses the job, or answers something unreadable."""


class RunnerBusy(Exception):
    """No place became free in time; nothing was run."""


@dataclass(frozen=True, slots=True)
class CodeJob:
    """One source and its inputs. `user_id`: for fairness among users. `deadline_s`: for all of it.

    `keeps_stdin_open`: a program that reads to the end waits until its time is up, as in the monolith.
    """

    user_id: str
    language: str
    code: str
    inputs: Sequence[Sequence[str]]
    deadline_s: float
    keeps_stdin_open: bool = False


class CodeRunner(Protocol):
    """Runs code that nobody trusts."""

    async def run(self, job: CodeJob) -> Sequence[CodeResult]:
        """One result for each input, in their order. Raises RunFailed, RunnerBusy."""
        ...


class SubmissionStore(Protocol):
    """The monolith's documents and users. All methods raise StoreUnavailable."""

    async def component(self, component_id: str) -> Json | None:
        """None: there is none."""
        ...

    async def validator(self, validator_id: str) -> Json | None:
        """None: there is none."""
        ...

    async def content(self, content_id: str) -> RewardedContent | None:
        """None: there is none. Raises Unexpected if its root is gone."""
        ...

    async def has_user(self, user_id: str) -> bool:
        """False: the user is deleted."""
        ...

    async def find(self, user_id: str, component_id: str) -> StoredSubmission | None:
        """None: this user has not submitted to this component."""
        ...

    async def attempted(self, user_id: str, component_id: str, attempt: CodeAttempt) -> StoredSubmission:
        """Stores the last attempt. Of two first attempts at once, one creates the document and both use it."""
        ...

    async def succeeded(self, submission_id: str, success: CodeAttempt) -> None:
        """Replaces the last success."""
        ...
