"""How many of an item are left: read and set by administrators. The monolith never had these routes."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.shop.api.callers import Described, is_admin
from extracted.shop.domain import Quantity
from extracted.shop.service import Stock
from extracted.wire import answers, validation
from extracted.wire.answers import ApiResponse
from extracted.wire.application import ApiRequest
from extracted.wire.validation import Rule, Shape, at_least, optional

MOST: Final = 2**31 - 1
_INTEGER: Final = Rule(
    lambda value: isinstance(value, int) and not isinstance(value, bool), "must be an integer number"
)
_AT_MOST: Final = Rule(lambda value: isinstance(value, int) and value <= MOST, f"must not be greater than {MOST}")
_NULLABLE: Final[Shape] = {"quantity": optional(_INTEGER, at_least(0), _AT_MOST)}


def routes(stock: Stock) -> Iterator[Described]:
    """Both of them."""
    yield "GET", "/item/{id}/quantity", is_admin, partial(_get, stock)
    yield "PUT", "/item/{id}/quantity", is_admin, partial(_set, stock)


async def _get(stock: Stock, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return _found(await stock.quantity(call.variables[0]))


async def _set(stock: Stock, call: ApiRequest, _identity: Identity) -> ApiResponse:
    """Null has to be said: a body that forgot the quantity would make the item unlimited."""
    refusal = validation.refusal(_NULLABLE, call.body)
    if refusal is not None or not isinstance(call.body, dict):
        return refusal or answers.BAD_REQUEST
    if "quantity" not in call.body:
        return answers.invalid([f"quantity {_INTEGER.words}"])
    return _found(await stock.set(call.variables[0], Quantity(call.body["quantity"])))


def _found(quantity: Quantity | None) -> ApiResponse:
    return answers.NOT_FOUND if quantity is None else answers.one({"quantity": quantity.left})
