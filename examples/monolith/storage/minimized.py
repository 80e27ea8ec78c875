"""Documents as Mongoose stores and shows them: a field that holds an empty object is left out."""

from typing import Any

_EMPTY = object()


def minimized(document: dict[str, Any]) -> dict[str, Any]:
    """At any depth; in a list an empty object stays."""
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
