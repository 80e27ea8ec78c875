"""Account's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.auth.claims import Identity
from chassis.service.web import Verifier
from extracted.account.api.refusals import Described, translated
from extracted.account.service import Account
from extracted.account.teams.api import teams
from extracted.account.users.api import user_settings, users
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import ApiRoute
from extracted.wire.guard import guarded, unguarded

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(account: Account, verifier: Verifier, *, production: bool, more: Sequence[Described] = ()) -> ASGIApp:
    """Answers as the monolith does in that mode. `more`: routes that need a broker, where there is one."""
    return wire.application(tuple(routes(account, verifier, more)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(account: Account, verifier: Verifier, more: Sequence[Described] = ()) -> Iterator[ApiRoute]:
    """All that it serves to users."""

    async def anew(identity: Identity) -> Identity:
        """A role counts from when it was given: who has made a team may change it at once."""
        return replace(identity, roles=await account.roles_of(identity.subject or ""))

    of_account = chain.from_iterable(module.routes(account) for module in (users, user_settings, teams))
    for method, path, allowed, handler in (*of_account, *more):
        answer = translated(account.compat, handler)
        yield ApiRoute(method, path, unguarded(answer) if allowed is None else guarded(verifier, allowed, answer, anew))
