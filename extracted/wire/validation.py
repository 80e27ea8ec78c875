"""Rules for bodies, with the messages of class-validator. They refuse unknown properties and convert nothing."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from extracted.wire.ids import is_uuid, is_uuid_v4
from extracted.wire.responses import ApiResponse, invalid

_INHERITED: Final = frozenset(
    {
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
        "__proto__",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
    }
)
"""Properties of every JavaScript object: the monolith drops them without an error."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, or with `each` every value of a list. `words`: the message after the property's name."""

    holds: Callable[[object], bool]
    words: str
    each: bool = False

    def message(self, name: str) -> str:
        """The fault of a property, named with its path."""
        return f"each value in {name} {self.words}" if self.each else f"{name} {self.words}"


@dataclass(frozen=True, slots=True)
class Property:
    """Rules in the order of their messages. `optional`: may be null or missing.

    `shape`: of an object, or of each object of a list.
    """

    rules: tuple[Rule, ...]
    optional: bool = False
    shape: "Shape | None" = None

    def faults(self, name: str, value: object, parent: str = "") -> list[str]:
        """One sentence for each broken rule; if none is broken, the faults inside the value."""
        if self.optional and value is None:
            return []
        broken = [parent + rule.message(name) for rule in self.rules if not rule.holds(value)]
        if broken or self.shape is None:
            return broken
        if not isinstance(value, list):
            return faults(self.shape, value, f"{parent}{name}.")
        shape = self.shape
        return [fault for n, item in enumerate(value) for fault in faults(shape, item, f"{parent}{name}.{n}.")]


Shape = Mapping[str, Property]


def refusal(shape: Shape, body: object) -> ApiResponse | None:
    """400 with the faults, which only development shows. None: there are none.

    The names of a list are its indices, so an empty list is a body without properties.
    """
    found = faults(shape, {str(index): item for index, item in enumerate(body)} if isinstance(body, list) else body)
    return invalid(found) if found else None


def faults(shape: Shape, body: object, parent: str = "") -> list[str]:
    """Faults of unknown properties in the order of the body, then of known ones in the order of the shape.

    `parent`: the path of `body` with a dot at its end.
    """
    if not isinstance(body, dict):
        return ["unknown value was passed to the validate function"]
    strangers = [name for name in body if name not in shape and name not in _INHERITED]
    unknown = [f"{parent}property {name} should not exist" for name in strangers]
    return unknown + [fault for name, known in shape.items() for fault in known.faults(name, body.get(name), parent)]


def required(*rules: Rule) -> Property:
    """A property that must be present."""
    return Property(rules)


def optional(*rules: Rule) -> Property:
    """A property that may be missing or null."""
    return Property(rules, optional=True)


def nested(shape: Shape, *, optional: bool = False) -> Property:
    """A property that is an object of this shape."""
    return Property((OBJECT,), optional, shape)


def list_of(shape: Shape, *, optional: bool = False) -> Property:
    """A property that is a list of objects of this shape."""
    return Property((ARRAY,), optional, shape)


def sent(shape: Shape | None, value: object) -> object:
    """A value that has passed the shape, without other properties, in the order of the body."""
    match value:
        case dict() if shape is not None:
            return {name: sent(shape[name].shape, item) for name, item in value.items() if name in shape}
        case list():
            return [sent(shape, item) for item in value]
        case _:
            return value


def known(shape: Shape, body: Mapping[str, object]) -> dict[str, object]:
    """The properties of the shape, in its order, from a body that has passed it."""
    sent = {name: (body[name], property_.shape) for name, property_ in shape.items() if name in body}
    return {
        name: known(inner, value) if inner and isinstance(value, dict) else value
        for name, (value, inner) in sent.items()
    }


def texts(body: object) -> dict[str, str | None]:
    """The properties of a body that has passed a shape of texts only."""
    members = body.items() if isinstance(body, dict) else ()
    told = {name: value for name, value in members if name not in _INHERITED}
    return {name: value for name, value in told.items() if value is None or isinstance(value, str)}


ANYTHING: Final = Property(())
"""A property that may have any value, or be missing."""
STRING: Final = Rule(lambda value: isinstance(value, str), "must be a string")
NOT_EMPTY: Final = Rule(lambda value: value not in ("", None), "should not be empty")
OBJECT: Final = Rule(lambda value: isinstance(value, dict), "must be an object")
BOOLEAN: Final = Rule(lambda value: isinstance(value, bool), "must be a boolean value")
ARRAY: Final = Rule(lambda value: isinstance(value, list), "must be an array")
STRINGS: Final = Rule(
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "must be a string",
    each=True,
)
UUID: Final = Rule(lambda value: isinstance(value, str) and is_uuid(value), "must be a UUID")
UUID_V4: Final = Rule(lambda value: isinstance(value, str) and is_uuid_v4(value), "must be a UUID")
NUMBER: Final = Rule(lambda value: _is_number(value), "must be a number conforming to the specified constraints")


def length(least: int, most: int) -> tuple[Rule, Rule]:
    """The length in characters; a surrogate pair counts as one. The message about the lower bound comes first."""
    return min_length(least), Rule(
        lambda value: isinstance(value, str) and len(value) <= most,
        f"must be shorter than or equal to {most} characters",
    )


def min_length(least: int) -> Rule:
    """The least length in characters."""
    return Rule(
        lambda value: isinstance(value, str) and len(value) >= least,
        f"must be longer than or equal to {least} characters",
    )


def one_of(values: Collection[str]) -> Rule:
    """One of these texts."""
    return Rule(
        lambda value: isinstance(value, str) and value in values,
        f"must be one of the following values: {', '.join(values)}",
    )


def at_least(least: int) -> Rule:
    """A number, at least this one."""
    return Rule(
        lambda value: isinstance(value, int | float) and _is_number(value) and value >= least,
        f"must not be less than {least}",
    )


def _is_number(value: object) -> bool:
    """Excludes NaN and infinity: 1e999 is not a number here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
