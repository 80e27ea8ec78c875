"""Items as clients see them."""

from extracted.shop.domain import Item
from extracted.wire import answers
from extracted.wire.answers import ApiResponse


def shown(item: Item) -> dict[str, object]:
    """In the order of the contract."""
    return {"id": item.id, "cost": item.cost, "type": item.type, "data": item.data}


def found(item: Item | None) -> ApiResponse:
    """The item, or 404."""
    return answers.NOT_FOUND if item is None else answers.one(shown(item))
