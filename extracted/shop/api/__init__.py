"""The shop's routes: from a call to a use case, and from its outcome to the contract's answer."""

from collections.abc import Iterator

from starlette.types import ASGIApp

from chassis.web import Verifier
from extracted.shop.api import items, purchases
from extracted.shop.service import Shop
from extracted.wire import application as wire
from extracted.wire.application import Route
from extracted.wire.guard import guarded


def application(shop: Shop, verifier: Verifier, *, production: bool) -> ASGIApp:
    """Answers as the monolith does in that mode."""
    return wire.application(tuple(_routes(shop, verifier)), production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers where the application raised."""
    return wire.failure(production=production)


def _routes(shop: Shop, verifier: Verifier) -> Iterator[Route]:
    for module in (items, purchases):
        for method, path, allowed, handler in module.routes(shop):
            yield Route(method, path, guarded(verifier, allowed, handler))
