"""An item as clients see it."""

from extracted.shop.domain import Item
from extracted.wire import responses
from extracted.wire.responses import ApiResponse


def item_view(item: Item) -> dict[str, object]:
    """The fields in the order of the contract."""
    return {"id": item.id, "cost": item.cost, "type": item.type, "data": item.data}


def item_response(item: Item | None) -> ApiResponse:
    """The item, or 404."""
    return responses.NOT_FOUND if item is None else responses.one(item_view(item))
