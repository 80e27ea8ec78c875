"""What a value that the store does not take is answered with: the one place where the two ways of `compat` part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from chassis.claims import Identity
from extracted.account.domain import Compat, NameTaken, Refused
from extracted.wire.answers import BAD_REQUEST, CONFLICT, NOT_FOUND, STORE_FAILED, Answer
from extracted.wire.application import Call
from extracted.wire.guard import Allowed, Guarded

log = structlog.get_logger("account.api")

Described = tuple[str, str, Allowed, Guarded]
"""A route: method, path, who may, and what it does."""


class NoId(Exception):
    """The text of the path cannot name a team."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The monolith lets its database fail over all three (faults F11, F18)."""

    name_taken: Answer = STORE_FAILED
    no_id: Answer = STORE_FAILED
    value: Answer = STORE_FAILED


OF: Final[Mapping[Compat, Refusals]] = {
    Compat.STRICT: Refusals(),
    Compat.IMPROVED: Refusals(CONFLICT, NOT_FOUND, BAD_REQUEST),
}


def translated(compat: Compat, handler: Guarded) -> Guarded:
    """A handler whose refusals are answers; the log tells which, never the value."""
    refusals = OF[compat]

    async def answer(call: Call, identity: Identity) -> Answer:
        try:
            return await handler(call, identity)
        except (NoId, Refused) as error:
            log.info("value_refused", reason=str(error))
            return _answer(refusals, error)

    return answer


def _answer(refusals: Refusals, error: Exception) -> Answer:
    if isinstance(error, NameTaken):
        return refusals.name_taken
    return refusals.no_id if isinstance(error, NoId) else refusals.value
