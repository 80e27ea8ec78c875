"""The routes for quantities. The monolith never had them. Only administrators may call them."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.shop.api.callers import GuardedRoute, is_admin
from extracted.shop.domain import Quantity
from extracted.shop.service import Stock
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import Rule, Shape, at_least, optional

MOST: Final = 2**31 - 1
_INTEGER: Final = Rule(
    lambda value: isinstance(value, int) and not isinstance(value, bool), "must be an integer number"
)
_AT_MOST: Final = Rule(lambda value: isinstance(value, int) and value <= MOST, f"must not be greater than {MOST}")
_NULLABLE: Final[Shape] = {"quantity": optional(_INTEGER, at_least(0), _AT_MOST)}


def routes(stock: Stock) -> Iterator[GuardedRoute]:
    """Read, then write."""
    yield "GET", "/item/{id}/quantity", is_admin, partial(_get, stock)
    yield "PUT", "/item/{id}/quantity", is_admin, partial(_set, stock)


async def _get(stock: Stock, request: ApiRequest, _identity: Identity) -> ApiResponse:
    return _response(await stock.quantity(request.variables[0]))


async def _set(stock: Stock, request: ApiRequest, _identity: Identity) -> ApiResponse:
    """Null must be explicit: otherwise a body without a quantity would make the item unlimited."""
    refusal = validation.refusal(_NULLABLE, request.body)
    if refusal is not None or not isinstance(request.body, dict):
        return refusal or responses.BAD_REQUEST
    if "quantity" not in request.body:
        return responses.invalid([f"quantity {_INTEGER.words}"])
    return _response(await stock.set(request.variables[0], Quantity(request.body["quantity"])))


def _response(quantity: Quantity | None) -> ApiResponse:
    return responses.NOT_FOUND if quantity is None else responses.one({"quantity": quantity.left})
