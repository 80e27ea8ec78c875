"""What a realm lacks of what it should be: pure, on JSON as Keycloak exports it.

An object is compared by the names that it should have; others are left alone. A list of objects is compared by their
own names, and others are left alone, too. A list of texts is compared as a whole, without its order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("clientId", "alias", "username", "name")
"""What the objects of Keycloak's lists are called, the first that they have."""
SECRETS = frozenset({"secret"})
"""Values that are never shown."""
NEW = "new"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """`path`: `clients polycode attributes access.token.lifespan`; before None: it is missing.

    A whole object that is missing is one change, after which it is NEW.
    """

    path: str
    before: object
    after: object


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[Change]:
    """What is missing or different."""
    if isinstance(wanted, Mapping):
        inner = found if isinstance(found, Mapping) else {}
        for key, value in wanted.items():
            yield from differences(value, inner.get(key), f"{path} {key}".strip())
    elif _is_named(wanted):
        for item in wanted:
            other, inside = find(item, found), f"{path} {name_of(item)}"
            yield from [Change(inside, None, NEW)] if other is None else differences(item, other, inside)
    elif not _same(wanted, found):
        yield Change(path, *(_shown(path, value) for value in (found, wanted)))


def merged(wanted: Any, found: Any) -> Any:
    """`found` with what is wanted put in."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {**found, **{key: merged(value, found.get(key)) for key, value in wanted.items()}}
    if _is_named(wanted) and isinstance(found, Sequence):
        names = {name_of(item) for item in wanted}
        return [
            *(item for item in found if name_of(item) not in names),
            *(merged(item, find(item, found)) for item in wanted),
        ]
    return wanted


def find(item: Json, items: object) -> Json | None:
    """The object of the same name."""
    others = items if isinstance(items, Sequence) else ()
    return next((other for other in others if name_of(other) == name_of(item)), None)


def name_of(item: Json) -> str:
    """The object's own name."""
    return str(next(item[key] for key in NAMES if key in item))


def _is_named(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _same(wanted: object, found: object) -> bool:
    if isinstance(wanted, list) and isinstance(found, list):
        return sorted(map(str, wanted)) == sorted(map(str, found))
    return wanted == found


def _shown(path: str, value: object) -> object:
    is_secret = path.rpartition(" ")[2] in SECRETS
    return "(secret)" if is_secret and value is not None else value
