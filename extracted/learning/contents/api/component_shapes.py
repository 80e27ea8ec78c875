"""The shapes of components in bodies (contract §6.2). The types of components are checked later, as in the monolith."""

from typing import Final

from extracted.learning.contents.domain import LANGUAGES
from extracted.wire.validation import (
    ARRAY,
    BOOLEAN,
    STRING,
    STRINGS,
    UUID,
    Property,
    Shape,
    list_of,
    nested,
    one_of,
    optional,
    required,
)

_LANGUAGE: Final[Shape] = {
    "defaultCode": required(STRING),
    "language": required(one_of(LANGUAGES)),
    "version": required(STRING),
}
_VALIDATOR: Final[Shape] = {
    "isHidden": required(BOOLEAN),
    "input": nested({"stdin": required(ARRAY, STRINGS)}),
    "expected": nested({"stdout": required(ARRAY, STRINGS)}),
}


def _component(known: Shape) -> Shape:
    """`known`: the properties that name a node of the present tree."""
    data: dict[str, Property] = {
        "markdown": optional(STRING),
        "items": optional(ARRAY, STRINGS),
        "validators": list_of({**_VALIDATOR, **known}, optional=True),
        "editorSettings": nested({"languages": list_of(_LANGUAGE)}, optional=True),
        "orientation": optional(STRING),
    }
    component: Shape = {"type": required(STRING), "data": nested(data), **known}
    data["components"] = list_of(component, optional=True)
    return component


NEW_COMPONENT: Final = _component({})
COMPONENT_CHANGES: Final = _component({"id": optional(UUID)})
