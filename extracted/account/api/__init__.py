"""Account's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.web import Verifier
from extracted.account.api import teams, user_settings, users
from extracted.account.api.refusals import translated
from extracted.account.service import Account
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import Route
from extracted.wire.guard import guarded

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(account: Account, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(tuple(routes(account, verifier)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(account: Account, verifier: Verifier) -> Iterator[Route]:
    """All that it serves."""
    for module in (users, user_settings, teams):
        for method, path, allowed, handler in module.routes(account):
            yield Route(method, path, guarded(verifier, allowed, translated(account.compat, handler)))
