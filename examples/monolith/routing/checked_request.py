"""What a handler receives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from examples.monolith.auth.tokens import Subject, Tokens
from examples.monolith.http.listing import Page
from examples.monolith.http.metrics import Metrics
from examples.monolith.outgoing.mailer import Mailer
from examples.monolith.outgoing.runner_client import RunnerClient
from examples.monolith.settings import Settings
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import ObjectIds

NO_PAGE = Page(page=1, limit=0)


@dataclass(frozen=True, slots=True)
class Monolith:
    """Collaborators that all handlers share."""

    settings: Settings
    database: Database
    object_ids: ObjectIds
    tokens: Tokens
    mailer: Mailer
    runner: RunnerClient
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request that passed every check before its handler. `subject` is None on open routes only."""

    monolith: Monolith
    params: Mapping[str, str]
    body: Any
    page: Page = NO_PAGE
    subject: Subject | None = None

    @property
    def user_id(self) -> str:
        if self.subject is None:
            raise LookupError("an open route has no caller")
        return self.subject.user_id
