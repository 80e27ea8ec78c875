"""Answers to refusals: the one place where the answers of the two ways of `compat` differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from chassis.auth.claims import Identity
from extracted.account.domain import AlreadyThere, Compat, NameTaken, ValueRefused
from extracted.account.users.domain import AlreadyVerified
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Allowed, Guarded
from extracted.wire.responses import BAD_REQUEST, CONFLICT, NOT_FOUND, STORE_FAILED, ApiResponse, error

log = structlog.get_logger("account.api")

Described = tuple[str, str, Allowed | None, Guarded]
"""A route: method, path, who may (None: everybody, without a credential), and what it does."""

ALREADY_VERIFIED: Final = error(409, "Email was already verified.", "Conflict")


class NoId(Exception):
    """The text in the path cannot be the id of a team or of an e-mail address."""


@dataclass(frozen=True, slots=True)
class RefusalAnswers:
    """The monolith lets its database fail in all three cases (faults F11, F18)."""

    name_taken: ApiResponse = STORE_FAILED
    no_id: ApiResponse = STORE_FAILED
    value: ApiResponse = STORE_FAILED


OF: Final[Mapping[Compat, RefusalAnswers]] = {
    Compat.STRICT: RefusalAnswers(),
    Compat.IMPROVED: RefusalAnswers(CONFLICT, NOT_FOUND, BAD_REQUEST),
}


def translated(compat: Compat, handler: Guarded) -> Guarded:
    """Turns the handler's refusals into answers; the log says which refusal, never the value."""
    refusals = OF[compat]

    async def answer(call: ApiRequest, identity: Identity) -> ApiResponse:
        try:
            return await handler(call, identity)
        except (NoId, ValueRefused) as failure:
            log.info("value_refused", reason=str(failure))
            return _answer(refusals, failure)
        except AlreadyThere:
            return CONFLICT
        except AlreadyVerified:
            return ALREADY_VERIFIED

    return answer


def _answer(refusals: RefusalAnswers, failure: Exception) -> ApiResponse:
    if isinstance(failure, NameTaken):
        return refusals.name_taken
    return refusals.no_id if isinstance(failure, NoId) else refusals.value
