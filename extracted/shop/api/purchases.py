"""The routes that tell who bought what (contract §5). Account has the route that buys."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.shop.api.callers import GuardedRoute, has_credential, is_admin
from extracted.shop.api.item_view import item_response, item_view
from extracted.shop.domain import Transaction
from extracted.shop.service import NotAnId, Shop
from extracted.wire import listing, responses
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse, Listing


def routes(shop: Shop) -> Iterator[GuardedRoute]:
    """For users, then for administrators."""
    yield "GET", "/item/bought/{id}", has_credential, partial(_get_bought_item, shop)
    yield "GET", "/me/items", has_credential, partial(_list_own_items, shop)
    yield "GET", "/transactions", is_admin, partial(_list, shop)


async def _get_bought_item(shop: Shop, request: ApiRequest, identity: Identity) -> ApiResponse:
    try:
        return item_response(await shop.bought(identity.subject or "", request.variables[0]))
    except NotAnId:
        return responses.STORE_FAILED  # as the monolith: PostgreSQL refuses the id


async def _list_own_items(shop: Shop, request: ApiRequest, identity: Identity) -> ApiResponse:
    """The monolith never had it: it tells of one item at a time."""
    page = listing.page(request.query)
    if page is None or page.offset > listing.LARGEST_OFFSET:
        return responses.BAD_REQUEST
    items, total = await shop.owned(identity.subject or "", page.offset, page.limit)
    pagination = {"page": page.page, "limit": page.limit, "total": total}
    return responses.many([item_view(item) for item in items], Listing(pagination))


async def _list(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    page = listing.page(request.query)
    if page is None:
        return responses.BAD_REQUEST
    if page.offset > listing.LARGEST_OFFSET:
        return responses.STORE_FAILED  # PostgreSQL refuses the offset
    transactions = await shop.purchases.page(page.offset, page.limit)
    pagination = {"page": page.page, "limit": page.limit, "total": transactions.total}
    return responses.many([_shown(one) for one in transactions.page], Listing(pagination))


def _shown(transaction: Transaction) -> dict[str, object]:
    return {"id": transaction.id, "userId": transaction.user_id, "objectId": transaction.item_id}
