"""The shop's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog
from starlette.types import ASGIApp

from chassis.claims import Identity, IdentityUnavailable
from chassis.store import StoreUnavailable
from chassis.web import Verifier, caller
from extracted.shop.domain import Item, ItemSelection, may_read_items
from extracted.shop.service import NotAnId, Shop
from extracted.wire import answers, listing
from extracted.wire import application as wire
from extracted.wire.answers import Answer
from extracted.wire.application import Call, Handler, Route
from extracted.wire.listing import Order, Page
from extracted.wire.query import Value

log = structlog.get_logger("shop.api")

Guarded = Callable[[Call, Identity], Awaitable[Answer]]
Allowed = Callable[[Identity], bool]


def application(shop: Shop, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(_routes(shop, verifier), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def _routes(shop: Shop, verifier: Verifier) -> Sequence[Route]:
    guarded = partial(_guarded, verifier)
    return (
        Route("GET", "/item", guarded(_reads_items, partial(_list_items, shop))),
        Route("GET", "/item/{id}", guarded(_reads_items, partial(_get_item, shop))),
        Route("GET", "/item/bought/{id}", guarded(_is_known, partial(_get_bought_item, shop))),
    )


def _reads_items(identity: Identity) -> bool:
    return may_read_items(identity.roles)


def _is_known(_identity: Identity) -> bool:
    return True


def _guarded(verifier: Verifier, allowed: Allowed, handler: Guarded) -> Handler:
    """Who calls, and may he, before anything else of the call is looked at."""

    async def answer(call: Call) -> Answer:
        try:
            identity = await caller(call.fields, verifier)
            return answers.refusal(identity, allowed=allowed(identity)) or await handler(call, identity)
        except StoreUnavailable as error:
            log.error("store_unavailable", reason=str(error))
            return answers.STORE_FAILED
        except IdentityUnavailable as error:
            log.error("identity_unavailable", reason=str(error))
            return answers.UNAVAILABLE

    return answer


async def _list_items(shop: Shop, call: Call, _identity: Identity) -> Answer:
    page = listing.page(call.query)
    if page is None:
        return answers.BAD_REQUEST
    order, wanted = listing.order(call.query, ("cost",)), listing.filters(call.query, ("type",))
    if order is None:
        return answers.UNEXPECTED
    selection = _selection(page, order, wanted)
    if isinstance(selection, Answer):
        return selection
    items = await shop.items.select(selection)
    return answers.many([_shown(item) for item in items], listing.shown(page, order, wanted, matching=False))


def _selection(page: Page, order: Order, wanted: Mapping[str, Value]) -> ItemSelection | Answer:
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


async def _get_item(shop: Shop, call: Call, _identity: Identity) -> Answer:
    return _found(await shop.items.find(call.variables[0]))


async def _get_bought_item(shop: Shop, call: Call, identity: Identity) -> Answer:
    try:
        return _found(await shop.bought(identity.subject or "", call.variables[0]))
    except NotAnId:
        return answers.STORE_FAILED  # the monolith lets PostgreSQL refuse it


def _texts(value: Value) -> list[str] | None:
    """A filter's text, or the texts one of which will do; None for what no text can equal."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    return texts if len(texts) == len(values) else None


def _found(item: Item | None) -> Answer:
    return answers.NOT_FOUND if item is None else answers.one(_shown(item))


def _shown(item: Item) -> dict[str, object]:
    return {"id": item.id, "cost": item.cost, "type": item.type, "data": item.data}
