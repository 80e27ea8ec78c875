"""Purchases: the monolith's own call that makes one, and what became of one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog

from chassis.auth.claims import Identity
from chassis.uuid_text import canonical_uuid
from extracted.account.api.refusals import Described
from extracted.account.domain import ADMIN
from extracted.account.purchases.domain.purchase import Outcome
from extracted.account.purchases.domain.saga import State
from extracted.account.purchases.service.buy_now import Calling
from extracted.account.purchases.service.queries import Found, Looking
from extracted.wire import responses
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse, error

log = structlog.get_logger("account.api")

TOO_POOR: Final = error(403, "Not enought points!", "Forbidden")
NOT_YET: Final = replace(responses.NOT_FOUND, fields=((b"retry-after", b"1"),))
"""It may be under way in a queue; another's looks the same."""
_REFUSALS: Final[Mapping[Outcome, ApiResponse]] = {
    Outcome.UNKNOWN_ITEM: responses.NOT_FOUND,
    Outcome.USER_DELETED: responses.NOT_FOUND,
    Outcome.INSUFFICIENT_POINTS: TOO_POOR,
}
_WITHOUT_PURCHASE: Final = {Outcome.ALREADY_OWNED: "ALREADY_OWNED"}


def routes(calling: Calling, looking: Looking) -> Iterator[Described]:
    """Both of them."""
    yield "POST", "/item/buy/{id}", _anybody, partial(_buy, calling)
    yield "GET", "/purchases/{id}", _anybody, partial(_get, looking)


def _anybody(_call: ApiRequest, _identity: Identity) -> bool:
    """With a credential, guests too."""
    return True


async def _buy(calling: Calling, call: ApiRequest, identity: Identity) -> ApiResponse:
    item_id = call.variables[0]
    if canonical_uuid(item_id) is None:
        return responses.STORE_FAILED  # the monolith lets PostgreSQL refuse it
    bought = await calling.buy(identity.subject or "", item_id)
    if isinstance(bought, Outcome):
        return _REFUSALS.get(bought, responses.STORE_FAILED)
    return responses.one(bought.shown(), 201)


async def _get(looking: Looking, call: ApiRequest, identity: Identity) -> ApiResponse:
    id = canonical_uuid(call.variables[0])
    found = None if id is None else await looking.find(id)
    if found is None or (ADMIN not in identity.roles and found.user_id != identity.subject):
        return NOT_YET
    return responses.one(shown(found))


def shown(found: Found) -> dict[str, object]:
    """`steps` in their order; times in UTC."""
    steps = [{"step": step, "at": time(at)} for step, at in found.steps()]
    times = {"created": steps[0]["at"], "settled": time(found.settled_at)}
    return {**_what(found), "steps": steps, "times": times}


def _what(found: Found) -> dict[str, object]:
    if found.purchase is not None:
        one = found.purchase
        return {"id": one.id, "itemId": one.item_id, "state": one.state, "reason": one.reason}
    assert found.request is not None, "one of the two was found"
    state = _WITHOUT_PURCHASE.get(found.request.outcome, State.REJECTED.value)
    return {"id": found.request.id, "itemId": found.request.item_id, "state": state, "reason": found.request.outcome}


def time(at: datetime | None) -> str | None:
    """As JavaScript writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
