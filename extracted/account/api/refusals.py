"""What a value that the store does not take is answered with: the one place where the two ways of `compat` part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from chassis.auth.claims import Identity
from extracted.account.domain import AlreadyVerified, Compat, NameTaken, Refused, Taken
from extracted.wire.answers import BAD_REQUEST, CONFLICT, NOT_FOUND, STORE_FAILED, ApiResponse, error
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Allowed, Guarded

log = structlog.get_logger("account.api")

Described = tuple[str, str, Allowed | None, Guarded]
"""A route: method, path, who may (None: everybody, without a credential), and what it does."""
ALREADY_VERIFIED: Final = error(409, "Email was already verified.", "Conflict")


class NoId(Exception):
    """The text of the path cannot name a team, or an e-mail."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The monolith lets its database fail over all three (faults F11, F18)."""

    name_taken: ApiResponse = STORE_FAILED
    no_id: ApiResponse = STORE_FAILED
    value: ApiResponse = STORE_FAILED


OF: Final[Mapping[Compat, Refusals]] = {
    Compat.STRICT: Refusals(),
    Compat.IMPROVED: Refusals(CONFLICT, NOT_FOUND, BAD_REQUEST),
}


def translated(compat: Compat, handler: Guarded) -> Guarded:
    """A handler whose refusals are answers; the log tells which, never the value."""
    refusals = OF[compat]

    async def answer(call: ApiRequest, identity: Identity) -> ApiResponse:
        try:
            return await handler(call, identity)
        except (NoId, Refused) as failure:
            log.info("value_refused", reason=str(failure))
            return _answer(refusals, failure)
        except Taken:
            return CONFLICT
        except AlreadyVerified:
            return ALREADY_VERIFIED

    return answer


def _answer(refusals: Refusals, failure: Exception) -> ApiResponse:
    if isinstance(failure, NameTaken):
        return refusals.name_taken
    return refusals.no_id if isinstance(failure, NoId) else refusals.value
