"""Contents and their components as values, and what readers may see of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from extracted.learning.domain import Compat, administers

Json = Mapping[str, Any]
"""An object as JSON shows it, in the order of its fields: a content, a component or a validator (contract §6.2)."""

COMPONENT_TYPES: Final = ("container", "editor", "quizz", "markdown")
LANGUAGES: Final = ("NODE", "PYTHON", "JAVA", "RUST")
MOST_LEVELS: Final = 60
"""How deep components may nest: three levels of a document each, of which MongoDB takes 180."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """Ids of components and validators that no content reaches, and of nodes that were missing from the store."""

    components: Sequence[str]
    validators: Sequence[str]
    restored: Sequence[str]


class TreeRefused(Exception):
    """A change names a component or validator that is not at that place of the tree. The text is for the client."""


def shown_to(roles: Collection[str], compat: Compat, content: Json) -> Json:
    """The content as these roles may see it: under `improved`, only administrators see hidden validators."""
    root = content.get("rootComponent")
    if compat is Compat.STRICT or administers(roles) or root is None:
        return content
    return {**content, "rootComponent": _without_hidden(root)}


def _without_hidden(component: Json) -> Json:
    data = component.get("data")
    if not isinstance(data, Mapping):
        return component
    shown = dict(data)
    if data.get("components"):
        shown["components"] = [_without_hidden(child) for child in data["components"]]
    if data.get("validators"):
        shown["validators"] = [validator for validator in data["validators"] if not validator.get("isHidden")]
    return {**component, "data": shown}
