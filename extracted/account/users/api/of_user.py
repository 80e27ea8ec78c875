"""The user in the path of routes below /user/{id}."""

from collections.abc import Awaitable, Callable
from typing import Final

from chassis.auth.claims import Identity
from chassis.uuid_text import canonical_uuid
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Guarded
from extracted.wire.ids import is_uuid
from extracted.wire.responses import ApiResponse, error

OWN = "@me"
"""Stands for the caller in a path."""
INVALID_USER_ID: Final = error(400, "Invalid userId", "Bad Request")

OfUser = Callable[[ApiRequest, str], Awaitable[ApiResponse]]


def is_own(call: ApiRequest, identity: Identity) -> bool:
    """Compares ids as spelled: the caller's own id in capitals counts as another user's, as in the monolith."""
    return call.variables[0] in (OWN, identity.subject)


def of_user(handler: OfUser) -> Guarded:
    """Gives the handler the canonical id of the path's user. Anything else than an id is 400, after the guards."""

    async def answer(call: ApiRequest, identity: Identity) -> ApiResponse:
        user_id = _wanted(call.variables[0], identity)
        return INVALID_USER_ID if user_id is None else await handler(call, user_id)

    return answer


def _wanted(spelled: str, identity: Identity) -> str | None:
    if spelled == OWN:
        return identity.subject
    return canonical_uuid(spelled) if is_uuid(spelled) else None
