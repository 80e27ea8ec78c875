"""Contract section 6.2: the shapes of components in requests."""

from examples.monolith.validation.shapes import (
    ARE_STRINGS,
    IS_ARRAY,
    IS_BOOLEAN,
    IS_STRING,
    IS_UUID,
    Property,
    Shape,
    list_of,
    nested,
    one_of,
    optional,
    required,
)

LANGUAGES = ("NODE", "PYTHON", "JAVA", "RUST")
LANGUAGE: Shape = {
    "defaultCode": required(IS_STRING),
    "language": required(one_of(*LANGUAGES)),
    "version": required(IS_STRING),
}
VALIDATOR: Shape = {
    "isHidden": required(IS_BOOLEAN),
    "input": nested({"stdin": required(IS_ARRAY, ARE_STRINGS)}),
    "expected": nested({"stdout": required(IS_ARRAY, ARE_STRINGS)}),
}


def _component(known: Shape) -> Shape:
    """`known`: the properties that name an existing node."""
    data: dict[str, Property] = {
        "markdown": optional(IS_STRING),
        "items": optional(IS_ARRAY, ARE_STRINGS),
        "validators": list_of({**VALIDATOR, **known}, optional=True),
        "editorSettings": nested({"languages": list_of(LANGUAGE)}, optional=True),
        "orientation": optional(IS_STRING),
    }
    component: Shape = {"type": required(IS_STRING), "data": nested(data), **known}
    data["components"] = list_of(component, optional=True)
    return component


NEW_COMPONENT = _component({})
COMPONENT_CHANGES = _component({"id": optional(IS_UUID)})
