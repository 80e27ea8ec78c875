"""Account's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.web import Verifier
from extracted.account.api import teams, user_settings, users
from extracted.account.api.refusals import Described, translated
from extracted.account.service import Account
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import Route
from extracted.wire.guard import guarded

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(account: Account, verifier: Verifier, *, production: bool, buying: Sequence[Described] = ()) -> ASGIApp:
    """Answers as the monolith does in that mode. `buying`: the routes of purchases, where they are served."""
    return wire.application(tuple(routes(account, verifier, buying)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(account: Account, verifier: Verifier, buying: Sequence[Described] = ()) -> Iterator[Route]:
    """All that it serves to users."""
    of_account = chain.from_iterable(module.routes(account) for module in (users, user_settings, teams))
    for method, path, allowed, handler in (*of_account, *buying):
        yield Route(method, path, guarded(verifier, allowed, translated(account.compat, handler)))
