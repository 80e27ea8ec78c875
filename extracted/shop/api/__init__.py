"""The shop's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.service.web import Verifier
from extracted.shop.api import internal, items, purchases, quantities
from extracted.shop.service import Shop, Stock
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import ApiRoute
from extracted.wire.guard import guarded

__all__ = ["application", "description", "failure", "internal", "routes"]
DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(shop: Shop, verifier: Verifier, *, production: bool, stock: Stock | None = None) -> ASGIApp:
    """Answers as the monolith does in that mode. Without `stock` it has no quantities."""
    return wire.application(tuple(routes(shop, verifier, stock)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(shop: Shop, verifier: Verifier, stock: Stock | None) -> Iterator[ApiRoute]:
    """All that it serves to users."""
    of_stock = () if stock is None else quantities.routes(stock)
    for method, path, allowed, handler in (*items.routes(shop), *purchases.routes(shop), *of_stock):
        yield ApiRoute(method, path, guarded(verifier, allowed, handler))
