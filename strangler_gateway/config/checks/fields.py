"""Field faults: pydantic's findings as sentences about the file (seen, wanted, to do)."""

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from strangler_gateway.config.faults import Fault, Place
from strangler_gateway.config.field_types import LIST, MAPPING, WORD
from strangler_gateway.config.model import RoutesFile
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.template import quoted

_WANTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def validated(source: LocatedYaml) -> tuple[RoutesFile | None, list[Fault]]:
    """The file's model, or the faults of its fields."""
    try:
        return RoutesFile.model_validate(source.data), []
    except ValidationError as exc:
        return None, [fault for error in exc.errors(include_url=False) if (fault := _fault(source, error))]


def _place(error: ErrorDetails) -> Place:
    """The place in the file, without pydantic's marks for keys and for members of a union."""
    return tuple(step for step in error["loc"] if step not in ("[key]", WORD, MAPPING, LIST))


def _fault(source: LocatedYaml, error: ErrorDetails) -> Fault | None:
    place = _place(error)
    if any(place[: len(broken)] == broken for broken in source.broken):
        return None
    return source.fault(place, _sentence(error, place))


def _sentence(error: ErrorDetails, place: Place) -> str:
    kind, seen = error["type"], _seen(error["input"])
    if kind == "missing":
        return f'"{place[-1]}" is missing; it is required'
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), place)
    if kind == "literal_error":
        return f"wanted {error['ctx']['expected']}, seen {seen}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "too_short":
        return "is empty; at least one entry is required"
    if kind in _WANTED:
        return f"wanted {_WANTED[kind]}, seen {seen}" + _quoting(kind, error["input"])
    return f"{error['msg']}, seen {seen}"


def _quoting(kind: str, value: object) -> str:
    numeric = kind == "string_type" and isinstance(value, int | float)
    return "; put it in quotes if the text is meant" if numeric else ""


def _seen(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return quoted(value) if isinstance(value, str) else str(value).lower()


def _unknown(name: str, place: Place) -> str:
    known = sorted(_fields(place))
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"known here: {', '.join(known)}"
    return f"unknown field {quoted(name)}; {hint}"


def _fields(place: Place) -> set[str]:
    """The fields of the mapping that contains a place; walks the model along the place."""
    kind: Any = RoutesFile
    for step in place[:-1]:
        if not (isinstance(step, int) and _is_model(kind)):  # one of a list that may also be a single mapping
            kind = _inside(kind, step)
    return set(kind.model_fields) if _is_model(kind) else set()


def _inside(kind: Any, step: str | int) -> Any:
    """The type at one step inside a model, list or mapping, without `| None` and annotations around it."""
    return _core(kind.model_fields[str(step)].annotation if _is_model(kind) else kind.__args__[-1])


def _core(annotation: Any) -> Any:
    if _is_model(annotation) or getattr(annotation, "__origin__", None) in (list, dict):
        return annotation
    return next((core for each in getattr(annotation, "__args__", ()) if (core := _core(each))), None)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
