"""The shop's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Awaitable, Callable, Sequence

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
from extracted.wire.query import Query, Value

log = structlog.get_logger("shop.api")

Guarded = Callable[[Call, Identity], Awaitable[Answer]]


def application(shop: Shop, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(_routes(shop, verifier), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def _routes(shop: Shop, verifier: Verifier) -> Sequence[Route]:

    def guarded(handler: Guarded, allowed: Callable[[Identity], bool]) -> Handler:
        return _guarded(handler, allowed, verifier)

    async def list_items(call: Call, _identity: Identity) -> Answer:
        return await _list_items(shop, call.query)

    async def get_item(call: Call, _identity: Identity) -> Answer:
        return _found(await shop.items.find(call.variables[0]))

    async def get_bought_item(call: Call, identity: Identity) -> Answer:
        try:
            return _found(await shop.bought(identity.subject or "", call.variables[0]))
        except NotAnId:
            return answers.STORE_FAILED  # the monolith lets PostgreSQL refuse it

    return (
        Route("GET", "/item", guarded(list_items, _reads_items)),
        Route("GET", "/item/{id}", guarded(get_item, _reads_items)),
        Route("GET", "/item/bought/{id}", guarded(get_bought_item, lambda _identity: True)),
    )


def _reads_items(identity: Identity) -> bool:
    return may_read_items(identity.roles)


def _guarded(handler: Guarded, allowed: Callable[[Identity], bool], verifier: Verifier) -> Handler:
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


async def _list_items(shop: Shop, query: Query) -> Answer:
    page = listing.page(query)
    if page is None:
        return answers.BAD_REQUEST
    order, wanted = listing.order(query, ("cost",)), listing.filters(query, ("type",))
    if order is None:
        return answers.UNEXPECTED
    descending = {key: listing.descends(direction) for key, direction in order.items()}
    types = _texts(wanted.get("type"))
    if "type" in wanted and types is None:
        return answers.STORE_FAILED
    if None in descending.values() or page.offset > listing.LARGEST_OFFSET:
        return answers.UNEXPECTED
    items = await shop.items.select(ItemSelection(page.offset, page.limit, types, descending.get("cost")))
    shown = answers.Listing(
        {"page": page.page, "limit": page.limit},
        listing.shown_order(order),
        listing.shown_filters(wanted, matching=False),
    )
    return answers.many([_shown(item) for item in items], shown)


def _texts(value: Value | None) -> list[str] | None:
    """A filter's text, or the texts one of which will do; None for what no text can equal."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    return texts if len(texts) == len(values) else None


def _found(item: Item | None) -> Answer:
    return answers.NOT_FOUND if item is None else answers.one(_shown(item))


def _shown(item: Item) -> dict[str, object]:
    return {"id": item.id, "cost": item.cost, "type": item.type, "data": item.data}
