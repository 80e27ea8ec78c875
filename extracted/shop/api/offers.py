"""The route that Account asks before it charges a user: the item as it is now, and whether the user owns it."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from chassis.auth.credentials import Endpoint, refused
from chassis.batcher import Batcher
from chassis.uuid_text import canonical_uuid
from extracted.shop.api.item_view import item_view
from extracted.shop.domain import Offer
from extracted.shop.service import Shop
from extracted.wire.jsontext import stringify

GATHER_WINDOW_S: Final = 0.02
"""How long a question waits for others under load. Questions that are asked together cost less."""
MAX_TOGETHER: Final = 100
Offers = Batcher[tuple[str, str], Offer | None]


def endpoint(shop: Shop) -> Endpoint:
    """GET /internal/offers/{item_id}?user=ID"""
    return partial(_offer, Offers(shop.offers, gather_s=GATHER_WINDOW_S, most=MAX_TOGETHER))


async def _offer(offers: Offers, request: Request) -> Response:
    """Called once a purchase, so it does without JWT and envelope."""
    user_id = canonical_uuid(request.query_params.get("user", ""))
    if user_id is None:
        return refused(400, "user is missing or not a UUID")
    offer = await offers.answer((user_id, request.path_params["item_id"]))
    if offer is None:
        return refused(404, "there is no such item")
    body = {"item": item_view(offer.item), "transactionId": offer.transaction_id}
    return Response(stringify(body), media_type="application/json")
