"""What was bought, by whom (contract §5); buying itself is Account's."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.shop.api.callers import Described, is_admin, is_known
from extracted.shop.api.shown import found
from extracted.shop.domain import Transaction
from extracted.shop.service import NotAnId, Shop
from extracted.wire import answers, listing
from extracted.wire.answers import ApiResponse, Listing
from extracted.wire.application import ApiRequest


def routes(shop: Shop) -> Iterator[Described]:
    """Both of them."""
    yield "GET", "/item/bought/{id}", is_known, partial(_get_bought_item, shop)
    yield "GET", "/transactions", is_admin, partial(_list, shop)


async def _get_bought_item(shop: Shop, call: ApiRequest, identity: Identity) -> ApiResponse:
    try:
        return found(await shop.bought(identity.subject or "", call.variables[0]))
    except NotAnId:
        return answers.STORE_FAILED  # the monolith lets PostgreSQL refuse it


async def _list(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    page = listing.page(call.query)
    if page is None:
        return answers.BAD_REQUEST
    if page.offset > listing.LARGEST_OFFSET:
        return answers.STORE_FAILED  # PostgreSQL again
    transactions = await shop.purchases.page(page.offset, page.limit)
    pagination = {"page": page.page, "limit": page.limit, "total": transactions.total}
    return answers.many([_shown(one) for one in transactions.page], Listing(pagination))


def _shown(transaction: Transaction) -> dict[str, object]:
    return {"id": transaction.id, "userId": transaction.user_id, "objectId": transaction.item_id}
