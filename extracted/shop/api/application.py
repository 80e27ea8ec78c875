"""The shop's routes for users, as one ASGI application that answers as the monolith does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.service.web import Verifier
from extracted.shop.api import items, purchases, quantities
from extracted.shop.service import Shop, Stock
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import ApiRoute
from extracted.wire.guard import guarded

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(shop: Shop, verifier: Verifier, *, production: bool, stock: Stock | None = None) -> ASGIApp:
    """All routes for users. Without `stock` there are no routes for quantities."""
    return wire.application(tuple(routes(shop, verifier, stock)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers when the application has raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(shop: Shop, verifier: Verifier, stock: Stock | None) -> Iterator[ApiRoute]:
    """Each with its guard."""
    of_stock = () if stock is None else quantities.routes(stock)
    for method, path, allowed, handler in (*items.routes(shop), *purchases.routes(shop), *of_stock):
        yield ApiRoute(method, path, guarded(verifier, allowed, handler))
