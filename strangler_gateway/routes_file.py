"""The front door of routes.yaml: text in, RouteTable or every fault out."""

from collections.abc import Mapping

from strangler_gateway.check import check_text
from strangler_gateway.faults import Fault, RoutesInvalid
from strangler_gateway.routes import RouteTable
from strangler_gateway.routes_model import RoutesFile

__all__ = ["Fault", "RoutesInvalid", "json_schema", "load"]


def load(text: str, environ: Mapping[str, str]) -> RouteTable:
    """The table of a routes file; raises RoutesInvalid with all its faults."""
    report = check_text(text, environ)
    if report.table is None:
        raise RoutesInvalid(report.faults)
    return report.table


def json_schema() -> dict[str, object]:
    """JSON Schema of the file, for editors."""
    return RoutesFile.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
