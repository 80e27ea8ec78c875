"""Account's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator

from starlette.types import ASGIApp

from chassis.web import Verifier
from extracted.account.api import teams, user_settings, users
from extracted.account.api.refusals import translated
from extracted.account.service import Account
from extracted.wire import application as wire
from extracted.wire.application import Route
from extracted.wire.guard import guarded


def application(account: Account, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(tuple(_routes(account, verifier)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def _routes(account: Account, verifier: Verifier) -> Iterator[Route]:
    for module in (users, user_settings, teams):
        for method, path, allowed, handler in module.routes(account):
            yield Route(method, path, guarded(verifier, allowed, translated(account.compat, handler)))
