"""The shop's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from chassis.web import Verifier
from extracted.shop.api import items, purchases
from extracted.shop.service import Shop
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import Route
from extracted.wire.guard import guarded

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(shop: Shop, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(tuple(routes(shop, verifier)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def routes(shop: Shop, verifier: Verifier) -> Iterator[Route]:
    """All that it serves."""
    for module in (items, purchases):
        for method, path, allowed, handler in module.routes(shop):
            yield Route(method, path, guarded(verifier, allowed, handler))
