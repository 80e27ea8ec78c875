"""Validates bodies (contract sections 2.2 and 2.3): refuses unknown properties, converts no value."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.monolith.http.errors import bad_request
from examples.monolith.validation.email_addresses import is_email

_UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INHERITED = frozenset(
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
"""Names that every JavaScript object has: Nest drops such properties silently."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule for one value, or for each value of a list. In messages `words` follow the property's name."""

    holds: Callable[[Any], bool]
    words: str
    each: bool = False

    def message(self, name: str) -> str:
        return f"each value in {name} {self.words}" if self.each else f"{name} {self.words}"


@dataclass(frozen=True, slots=True)
class Property:
    """`shape`: of the value or each element. `optional`: may be null or absent. `when`: for which bodies it counts."""

    checks: tuple[Check, ...]
    shape: "Shape | None" = None
    optional: bool = False
    when: Callable[[Mapping[str, Any]], bool] = lambda _body: True


Shape = Mapping[str, Property]


def refuse_invalid(shape: Shape, body: Any, *, production: bool) -> None:
    """Raises HttpError, in production without messages. A list counts as an object with indices for names."""
    fields = {str(index): item for index, item in enumerate(body)} if isinstance(body, list) else body
    if found := violations(shape, fields):
        raise bad_request(None if production else found)


def stripped(shape: Shape | None, value: Any) -> Any:
    """A valid value without properties that the shape does not name."""
    match value:
        case dict() if shape is not None:
            return {name: stripped(shape[name].shape, item) for name, item in value.items() if name in shape}
        case list():
            return [stripped(shape, item) for item in value]
        case _:
            return value


def violations(shape: Shape, body: Any, prefix: str = "") -> list[str]:
    """Messages; empty when the body is valid."""
    if not isinstance(body, dict):
        return ["unknown value was passed to the validate function"]
    unexpected = [name for name in body if name not in shape and name not in _INHERITED]
    unknown = [f"{prefix}property {name} should not exist" for name in unexpected]
    known = [line for name, rules in shape.items() if rules.when(body) for line in _violated(rules, body, name, prefix)]
    return unknown + known


def _violated(rules: Property, body: Mapping[str, Any], name: str, prefix: str) -> list[str]:
    value = body.get(name)
    if value is None and rules.optional:
        return []
    failed = [prefix + check.message(name) for check in rules.checks if not check.holds(value)]
    if rules.shape is None or failed:
        return failed
    if not isinstance(value, list):
        return violations(rules.shape, value, f"{prefix}{name}.")
    shape = rules.shape
    return [line for n, item in enumerate(value) for line in violations(shape, item, f"{prefix}{name}.{n}.")]


def required(*checks: Check) -> Property:
    return Property(checks)


def optional(*checks: Check) -> Property:
    return Property(checks, optional=True)


def nested(shape: Shape, *, optional: bool = False) -> Property:
    return Property((IS_OBJECT,), shape=shape, optional=optional)


def list_of(shape: Shape, *, optional: bool = False) -> Property:
    return Property((IS_ARRAY,), shape=shape, optional=optional)


def length(least: int, most: int) -> tuple[Check, Check]:
    longest = Check(
        lambda v: isinstance(v, str) and len(v) <= most, f"must be shorter than or equal to {most} characters"
    )
    return min_length(least), longest


def min_length(least: int) -> Check:
    return Check(
        lambda v: isinstance(v, str) and len(v) >= least, f"must be longer than or equal to {least} characters"
    )


def at_least(least: float) -> Check:
    return Check(lambda value: is_number(value) and value >= least, f"must not be less than {least}")


def one_of(*values: str) -> Check:
    return Check(lambda value: value in values, f"must be one of the following values: {', '.join(values)}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_uuid(value: str) -> bool:
    """Whether it is a UUID of any version, as path parameters are checked."""
    return _UUID.fullmatch(value) is not None


IS_STRING = Check(lambda value: isinstance(value, str), "must be a string")
IS_NOT_EMPTY = Check(lambda value: value not in ("", None), "should not be empty")
IS_BOOLEAN = Check(lambda value: isinstance(value, bool), "must be a boolean value")
IS_ARRAY = Check(lambda value: isinstance(value, list), "must be an array")
ARE_STRINGS = Check(
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "must be a string",
    each=True,
)
IS_NUMBER = Check(is_number, "must be a number conforming to the specified constraints")
IS_OBJECT = Check(lambda value: isinstance(value, dict), "must be an object")
IS_EMAIL = Check(is_email, "must be an email")
IS_UUID = Check(lambda value: isinstance(value, str) and is_uuid(value), "must be a UUID")
IS_UUID_V4 = Check(lambda value: isinstance(value, str) and bool(_UUID_V4.fullmatch(value)), "must be a UUID")
