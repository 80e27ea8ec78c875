"""Account's routes as one application: from a call to a use case, and from its result to the contract's answer."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.auth.claims import Identity
from chassis.service.web import Verifier
from extracted.account.api.refusals import Described, translated
from extracted.account.domain import Compat
from extracted.account.users.ports import RoleStore
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import ApiRoute
from extracted.wire.guard import anybody, guarded, unguarded, welcoming

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(
    described: Iterable[Described], verifier: Verifier, roles: RoleStore, compat: Compat, *, production: bool
) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(tuple(routes(described, verifier, roles, compat)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(described: Iterable[Described], verifier: Verifier, roles: RoleStore, compat: Compat) -> Iterator[ApiRoute]:
    """The described routes, each behind its guard."""

    async def with_current_roles(identity: Identity) -> Identity:
        """A role counts from the moment it is given: whoever has created a team may change it at once."""
        return replace(identity, roles=await roles.of_user(identity.subject or ""))

    for method, path, allowed, handler in described:
        answer = translated(compat, handler)
        if allowed is None:
            guard = unguarded(answer)
        elif allowed is anybody:
            guard = welcoming(verifier, answer)
        else:
            guard = guarded(verifier, allowed, answer, with_current_roles)
        yield ApiRoute(method, path, guard)
