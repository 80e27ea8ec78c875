"""The routes for items (contract §5). Only administrators may call them."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.shop.api.callers import GuardedRoute, is_admin
from extracted.shop.api.item_view import item_response, item_view
from extracted.shop.domain import ItemFields, ItemSelection
from extracted.shop.service import Shop
from extracted.wire import listing, responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.listing import Order, Page
from extracted.wire.nesting import Value
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import NUMBER, STRING, Shape, at_least, nested, one_of, optional, required

_COST = (NUMBER, at_least(0))
_TYPE = one_of(("hint", "validator"))
_DATA: Final[Shape] = {"text": required(STRING)}
NEW_ITEM: Final[Shape] = {"cost": required(*_COST), "type": required(_TYPE), "data": nested(_DATA)}
CHANGES: Final[Shape] = {"cost": optional(*_COST), "type": optional(_TYPE), "data": nested(_DATA, optional=True)}


def routes(shop: Shop) -> Iterator[GuardedRoute]:
    """Create, list, read, change, delete."""
    yield "POST", "/item", is_admin, partial(_create, shop)
    yield "GET", "/item", is_admin, partial(_list, shop)
    yield "GET", "/item/{id}", is_admin, partial(_get, shop)
    yield "PATCH", "/item/{id}", is_admin, partial(_change, shop)
    yield "DELETE", "/item/{id}", is_admin, partial(_remove, shop)


async def _create(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    fields = _fields(NEW_ITEM, request.body)
    return fields if isinstance(fields, ApiResponse) else responses.one(item_view(await shop.create(fields)), 201)


async def _list(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    page = listing.page(request.query)
    if page is None:
        return responses.BAD_REQUEST
    order, wanted = listing.order(request.query, ("cost",)), listing.filters(request.query, ("type",))
    if order is None:
        return responses.UNEXPECTED
    selection = _selection(page, order, wanted)
    if isinstance(selection, ApiResponse):
        return selection
    items = await shop.items.select(selection)
    return responses.many([item_view(item) for item in items], listing.shown(page, order, wanted))


async def _get(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    return item_response(await shop.items.find(request.variables[0]))


async def _change(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    fields = _fields(CHANGES, request.body)
    return (
        fields
        if isinstance(fields, ApiResponse)
        else item_response(await shop.items.change(request.variables[0], fields))
    )


async def _remove(shop: Shop, request: ApiRequest, _identity: Identity) -> ApiResponse:
    return responses.nothing(200) if await shop.items.remove(request.variables[0]) else responses.NOT_FOUND


def _fields(shape: Shape, body: object) -> ItemFields | ApiResponse:
    """The fields that the body holds, or the 400."""
    refusal = validation.refusal(shape, body)
    if refusal is not None:
        return refusal
    return validation.known(shape, body) if isinstance(body, dict) else {}


def _selection(page: Page, order: Order, wanted: Mapping[str, Value]) -> ItemSelection | ApiResponse:
    """Or the error that the monolith answers: it finds a wrong order before it asks its database, the rest after."""
    descends = listing.descends(order["cost"]) if "cost" in order else None
    if "cost" in order and descends is None:
        return responses.UNEXPECTED
    types = _texts(wanted["type"]) if "type" in wanted else None
    if "type" in wanted and types is None:
        return responses.STORE_FAILED
    if page.offset > listing.LARGEST_OFFSET:
        return responses.UNEXPECTED
    return ItemSelection(page.offset, page.limit, types, descends)


def _texts(value: Value) -> list[str] | None:
    """The texts that a filter accepts; None if one of its values is no text."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    return texts if len(texts) == len(values) else None
