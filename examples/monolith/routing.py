"""What a route declares, how Express finds one, and what its handler receives."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from examples.monolith.auth.access import Guards
from examples.monolith.auth.tokens import Subject, Tokens
from examples.monolith.http.errors import bad_request
from examples.monolith.http.listing import Listing, Page
from examples.monolith.http.metrics import Metrics
from examples.monolith.http.wire import ResponseContent
from examples.monolith.outgoing.mailer import Mailer
from examples.monolith.outgoing.runner_client import RunnerClient
from examples.monolith.settings import Settings
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import ObjectIds
from examples.monolith.validation.shapes import Shape

_MALFORMED = re.compile(r"%(?![0-9a-fA-F]{2})")
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


Handler = Callable[[CheckedRequest], Awaitable[ResponseContent]]
Parameters = Mapping[str, str]
"""The path's variables, decoded."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route. `check` checks the path before the body is validated; it raises HttpError.

    `body`: the shape to validate, or a function that picks it by the body's content.
    """

    method: str
    path: str
    handler: Handler
    guards: Guards
    listing: Listing | None = None
    body: Shape | Callable[[Any], Shape] | None = None
    check: Callable[[Parameters], None] = lambda _params: None
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        expression = re.sub(r":(\w+)", r"(?P<\1>[^/]+?)", self.path)
        object.__setattr__(self, "pattern", re.compile(f"{expression}/?", re.IGNORECASE))


class Router:
    """Finds routes. Ignores case and one trailing slash; GET serves HEAD."""

    def __init__(self, routes: tuple[Endpoint, ...]) -> None:
        self._routes = routes

    def find(self, method: str, raw_path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """`raw_path` as sent. Raises HttpError when a variable of any matching route cannot be decoded."""
        wanted = "GET" if method == "HEAD" else method
        for route in self._routes:
            match = route.pattern.fullmatch(raw_path)
            if match is None:
                continue
            params = {name: _decoded(value) for name, value in match.groupdict().items()}
            if route.method == wanted:
                return route, params
        return None


def _decoded(value: str) -> str:
    """As decodeURIComponent. Raises HttpError."""
    try:
        if _MALFORMED.search(value):
            raise ValueError(value)
        return unquote_to_bytes(value).decode()
    except ValueError as error:
        raise bad_request(f"Failed to decode param '{value}'") from error
