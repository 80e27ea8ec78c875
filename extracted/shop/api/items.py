"""Items (contract §5): listed, read, made, changed and removed by administrators."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.shop.api.callers import Described, is_admin
from extracted.shop.api.shown import found, shown
from extracted.shop.domain import ItemFields, ItemSelection
from extracted.shop.service import Shop
from extracted.wire import answers, listing, validation
from extracted.wire.answers import ApiResponse
from extracted.wire.application import ApiRequest
from extracted.wire.listing import Order, Page
from extracted.wire.nesting import Value
from extracted.wire.validation import NUMBER, STRING, Shape, at_least, nested, one_of, optional, required

_COST = (NUMBER, at_least(0))
_TYPE = one_of(("hint", "validator"))
_DATA: Final[Shape] = {"text": required(STRING)}
NEW_ITEM: Final[Shape] = {"cost": required(*_COST), "type": required(_TYPE), "data": nested(_DATA)}
CHANGES: Final[Shape] = {"cost": optional(*_COST), "type": optional(_TYPE), "data": nested(_DATA, optional=True)}


def routes(shop: Shop) -> Iterator[Described]:
    """All five of them."""
    yield "POST", "/item", is_admin, partial(_create, shop)
    yield "GET", "/item", is_admin, partial(_list, shop)
    yield "GET", "/item/{id}", is_admin, partial(_get, shop)
    yield "PATCH", "/item/{id}", is_admin, partial(_change, shop)
    yield "DELETE", "/item/{id}", is_admin, partial(_remove, shop)


async def _create(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    fields = _fields(NEW_ITEM, call.body)
    return fields if isinstance(fields, ApiResponse) else answers.one(shown(await shop.create(fields)), 201)


async def _list(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    page = listing.page(call.query)
    if page is None:
        return answers.BAD_REQUEST
    order, wanted = listing.order(call.query, ("cost",)), listing.filters(call.query, ("type",))
    if order is None:
        return answers.UNEXPECTED
    selection = _selection(page, order, wanted)
    if isinstance(selection, ApiResponse):
        return selection
    items = await shop.items.select(selection)
    return answers.many([shown(item) for item in items], listing.shown(page, order, wanted, matching=False))


async def _get(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return found(await shop.items.find(call.variables[0]))


async def _change(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    fields = _fields(CHANGES, call.body)
    return fields if isinstance(fields, ApiResponse) else found(await shop.items.change(call.variables[0], fields))


async def _remove(shop: Shop, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return answers.nothing(200) if await shop.items.remove(call.variables[0]) else answers.NOT_FOUND


def _fields(shape: Shape, body: object) -> ItemFields | ApiResponse:
    """Those that were sent; or the 400."""
    refusal = validation.refusal(shape, body)
    if refusal is not None:
        return refusal
    return validation.known(shape, body) if isinstance(body, dict) else {}


def _selection(page: Page, order: Order, wanted: Mapping[str, Value]) -> ItemSelection | ApiResponse:
    """Or the answer where the monolith trips: over an order as it builds its query, over the rest when it runs it."""
    descends = listing.descends(order["cost"]) if "cost" in order else None
    if "cost" in order and descends is None:
        return answers.UNEXPECTED
    types = _texts(wanted["type"]) if "type" in wanted else None
    if "type" in wanted and types is None:
        return answers.STORE_FAILED
    if page.offset > listing.LARGEST_OFFSET:
        return answers.UNEXPECTED
    return ItemSelection(page.offset, page.limit, types, descends)


def _texts(value: Value) -> list[str] | None:
    """A filter's text, or the texts one of which will do; None for what no text can equal."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    return texts if len(texts) == len(values) else None
