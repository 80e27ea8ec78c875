"""Judges a routes file: all faults at once, warnings, and the table where there is no fault."""

from collections.abc import Mapping
from dataclasses import dataclass

from strangler_gateway.check_fields import validated
from strangler_gateway.check_rules import Declared, rule_faults
from strangler_gateway.faults import Fault
from strangler_gateway.routes import RouteTable
from strangler_gateway.routes_compile import compile_table
from strangler_gateway.yaml_source import read


@dataclass(frozen=True, slots=True)
class Report:
    """`table` is None exactly when there is a fault; both lists are in the order of the file."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    table: RouteTable | None


def check_text(text: str, environ: Mapping[str, str]) -> Report:
    """Checks a routes file against the environment that its variables come from; never raises."""
    source = read(text, environ)
    if not source.data:
        return Report(tuple(source.faults), (), None)
    file, faults, faulty = validated(source)
    faults = source.faults + faults
    if file is not None:
        faults += rule_faults(Declared(source, file, frozenset(faulty)))
    if faults or file is None:
        return Report(tuple(sorted(faults)), (), None)
    lines = [source.line(("routes", at)) for at in range(len(file.routes))]
    return Report((), (), compile_table(file, lines))
