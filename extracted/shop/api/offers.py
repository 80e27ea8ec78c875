"""What Account asks before it charges a user: the item as it is now, and whether the user has bought it."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from chassis.auth.credentials import Endpoint, refused
from chassis.together import Together
from extracted.shop.api.shown import shown
from extracted.shop.domain import Offer, canonical_uuid
from extracted.shop.service import Shop
from extracted.wire.jsontext import stringify

GATHER_S: Final = 0.02
"""A purchase can wait so long where there are many; what each costs goes down with every one that is asked with it."""
MOST: Final = 100
Offers = Together[tuple[str, str], Offer | None]


def endpoint(shop: Shop) -> Endpoint:
    """GET /internal/offers/{item_id}?user=ID"""
    return partial(_offer, Offers(shop.offers, gather_s=GATHER_S, most=MOST))


async def _offer(offers: Offers, request: Request) -> Response:
    """Of one call a purchase, so without more than it needs: no JWT, no envelope."""
    user_id = canonical_uuid(request.query_params.get("user", ""))
    if user_id is None:
        return refused(400, "user is missing or no UUID")
    offer = await offers.answer((user_id, request.path_params["item_id"]))
    if offer is None:
        return refused(404, "there is no such item")
    body = {"item": shown(offer.item), "transactionId": offer.transaction_id}
    return Response(stringify(body), media_type="application/json")
