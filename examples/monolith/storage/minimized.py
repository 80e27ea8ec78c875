"""Documents as Mongoose stores and shows them: without fields that hold an empty object."""

from typing import Any

_EMPTY = object()


def minimized(document: dict[str, Any]) -> dict[str, Any]:
    """Removes such fields at any depth; an empty object in a list stays."""
    smaller = {name: _minimized(value) for name, value in document.items()}
    return {name: value for name, value in smaller.items() if value is not _EMPTY}


def _minimized(value: Any) -> Any:
    match value:
        case dict():
            return minimized(value) or _EMPTY
        case list():
            return [minimized(item) if isinstance(item, dict) else _minimized(item) for item in value]
        case _:
            return value
