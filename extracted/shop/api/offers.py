"""The routes that Account asks before it charges users: items as they are now, and whether the user owns them.

One question by its path, or several at once: `?user=ID&item=ID&user=ID&item=ID…`. They do without JWT and envelope,
because each purchase asks.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.auth.credentials import CallerCheck, guarded, refused
from chassis.uuid_text import canonical_uuid
from extracted.shop.api.item_view import item_view
from extracted.shop.domain import Offer
from extracted.shop.service import Shop
from extracted.wire.jsontext import stringify

MAX_TOGETHER: Final = 100


def routes(shop: Shop, callers: CallerCheck) -> Iterator[Route]:
    """GET, for these callers."""
    yield Route("/internal/offers", guarded(callers, partial(_offers, shop)))
    yield Route("/internal/offers/{item_id}", guarded(callers, partial(_offer, shop)))


async def _offers(shop: Shop, request: Request) -> Response:
    """A list in the order of the questions; null: there is no such item."""
    users, items = (request.query_params.getlist(name) for name in ("user", "item"))
    known = [user for user in map(canonical_uuid, users) if user is not None]
    if not 0 < len(known) == len(users) == len(items) <= MAX_TOGETHER:
        return refused(400, f"expected 1 to {MAX_TOGETHER} times user, a UUID, and item")
    found = await shop.offers([*zip(known, items, strict=True)])
    return _json([None if offer is None else _shown(offer) for offer in found])


async def _offer(shop: Shop, request: Request) -> Response:
    user_id = canonical_uuid(request.query_params.get("user", ""))
    if user_id is None:
        return refused(400, "user is missing or not a UUID")
    (offer,) = await shop.offers([(user_id, request.path_params["item_id"])])
    return refused(404, "there is no such item") if offer is None else _json(_shown(offer))


def _shown(offer: Offer) -> Mapping[str, object]:
    return {"item": item_view(offer.item), "transactionId": offer.transaction_id}


def _json(value: object) -> Response:
    return Response(stringify(value), media_type="application/json")
