"""The monolith's own call that buys, and the state of a purchase."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from chassis.auth.claims import Identity
from chassis.tracing import spans
from chassis.uuid_text import canonical_uuid
from extracted.account.api.refusals import Described
from extracted.account.domain import ADMIN
from extracted.account.purchases.domain.purchase import RequestOutcome
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.service.buy_now import BuyNow
from extracted.account.purchases.service.queries import FoundPurchase, PurchaseQueries
from extracted.wire import responses
from extracted.wire.application import ApiRequest
from extracted.wire.jsontext import iso
from extracted.wire.responses import ApiResponse, error

log = structlog.get_logger("account.api")

TOO_POOR: Final = error(403, "Not enought points!", "Forbidden")
NOT_YET: Final = replace(responses.NOT_FOUND, fields=((b"retry-after", b"1"),))
"""The request may still be in a queue. Another user's purchase gets the same answer."""
_REFUSALS: Final[Mapping[RequestOutcome, ApiResponse]] = {
    RequestOutcome.UNKNOWN_ITEM: responses.NOT_FOUND,
    RequestOutcome.USER_DELETED: responses.NOT_FOUND,
    RequestOutcome.INSUFFICIENT_POINTS: TOO_POOR,
}
_WITHOUT_PURCHASE: Final = {RequestOutcome.ALREADY_OWNED: "ALREADY_OWNED"}


def routes(buy_now: BuyNow, queries: PurchaseQueries) -> Iterator[Described]:
    """Both need a broker and Shop."""
    yield "POST", "/item/buy/{id}", _anybody, partial(_buy, buy_now)
    yield "GET", "/purchases/{id}", _anybody, partial(_get, queries)


def _anybody(_call: ApiRequest, _identity: Identity) -> bool:
    """Everybody with a credential, guests too."""
    return True


async def _buy(buy_now: BuyNow, call: ApiRequest, identity: Identity) -> ApiResponse:
    item_id = call.variables[0]
    if canonical_uuid(item_id) is None:
        return responses.STORE_FAILED  # the monolith lets PostgreSQL refuse it
    bought = await buy_now.buy(identity.subject or "", item_id, spans.passed_on())
    if isinstance(bought, RequestOutcome):
        return _REFUSALS.get(bought, responses.STORE_FAILED)
    return responses.one(bought.shown(), 201)


async def _get(queries: PurchaseQueries, call: ApiRequest, identity: Identity) -> ApiResponse:
    id = canonical_uuid(call.variables[0])
    found = None if id is None else await queries.find(id)
    if found is None or (ADMIN not in identity.roles and found.user_id != identity.subject):
        return NOT_YET
    return responses.one(shown(found))


def shown(found: FoundPurchase) -> dict[str, object]:
    """`steps` in the order of time; times in UTC."""
    steps = [{"step": step, "at": time(at)} for step, at in found.steps()]
    times = {"created": steps[0]["at"], "settled": time(found.settled_at)}
    return {**_what(found), "steps": steps, "times": times}


def _what(found: FoundPurchase) -> dict[str, object]:
    if found.purchase is not None:
        one = found.purchase
        return {"id": one.id, "itemId": one.item_id, "state": one.state, "reason": one.reason}
    assert found.request is not None, "one of the two was found"
    state = _WITHOUT_PURCHASE.get(found.request.outcome, PurchaseState.REJECTED.value)
    return {"id": found.request.id, "itemId": found.request.item_id, "state": state, "reason": found.request.outcome}


def time(at: datetime | None) -> str | None:
    """As JavaScript writes it."""
    return None if at is None else iso(at)
