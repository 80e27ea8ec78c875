"""Entry point of routes.yaml: text in, RouteTable or every fault out."""

from collections.abc import Mapping

from strangler_gateway.config.checks.check import check_text
from strangler_gateway.config.faults import Fault, RoutesInvalid
from strangler_gateway.config.model import RoutesFile
from strangler_gateway.table.routes import RouteTable

__all__ = ["Fault", "RoutesInvalid", "json_schema", "load"]

Schema = dict[str, object]

_VARIABLE: Schema = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}$"}
_TYPED = frozenset({"number", "integer", "boolean"})


def load(text: str, environ: Mapping[str, str]) -> RouteTable:
    """The table of a routes file; raises RoutesInvalid with all its faults."""
    report = check_text(text, environ)
    if report.table is None:
        raise RoutesInvalid(report.faults)
    return report.table


def json_schema() -> Schema:
    """JSON Schema of the file, for editors."""
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "routes.yaml"}
    return head | {key: _or_variable(value) for key, value in RoutesFile.model_json_schema().items() if key != "title"}


def _or_variable(part: object) -> object:
    """The same schema, where every field that is not a text accepts `${NAME}` too."""
    if isinstance(part, list):
        return [_or_variable(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in _TYPED or "enum" in part or "const" in part:
        notes = {key: part[key] for key in ("description", "default") if key in part}
        rest = {key: value for key, value in part.items() if key not in notes and key != "title"}
        return notes | {"anyOf": [rest, _VARIABLE]}
    return {key: _inside(key, value) for key, value in part.items() if key != "title"}


def _inside(key: str, value: object) -> object:
    if key in ("default", "required"):
        return value
    if key in ("properties", "$defs") and isinstance(value, dict):  # these keys are names, not words of JSON Schema
        return {name: _or_variable(each) for name, each in value.items()}
    return _or_variable(value)
