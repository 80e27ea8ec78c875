"""Documents as Mongoose stores and shows them: without fields that hold an empty object (corrections C3)."""

from collections.abc import Mapping
from typing import Any, Final

_EMPTY: Final = object()


def minimized(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without such fields, at any depth. An empty object in a list stays."""
    smaller = {name: _minimized(value) for name, value in document.items()}
    return {name: value for name, value in smaller.items() if value is not _EMPTY}


def _minimized(value: Any) -> Any:
    match value:
        case Mapping():
            return minimized(value) or _EMPTY
        case list():
            return [minimized(item) if isinstance(item, Mapping) else _minimized(item) for item in value]
        case _:
            return value
