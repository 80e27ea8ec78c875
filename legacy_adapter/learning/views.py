"""Documents as the monolith shows them."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from legacy_adapter.documents.port import Document


def without_mongo_fields(document: Document) -> dict[str, Any]:
    """Without `_id` and `__v`."""
    return {name: value for name, value in document.items() if name not in ("_id", "__v")}


def component_view(component: Document) -> dict[str, Any]:
    """A component and everything below it, without the fields of MongoDB."""
    shown = without_mongo_fields(component)
    if isinstance(data := shown.get("data"), Mapping):
        shown["data"] = dict(data)
        if data.get("components") is not None:
            shown["data"]["components"] = [component_view(child) for child in data["components"]]
        if data.get("validators") is not None:
            shown["data"]["validators"] = [without_mongo_fields(validator) for validator in data["validators"]]
    return shown


def plain(value: Any) -> Any:
    """With each ObjectId, at any depth, as its hex digits."""
    match value:
        case ObjectId():
            return str(value)
        case Mapping():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value
