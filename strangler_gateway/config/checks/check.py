"""Checks a routes file: all faults at once, warnings, and the table if there is no fault."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from strangler_gateway.config.checks.aggregate import unmatched_calls
from strangler_gateway.config.checks.fields import validated
from strangler_gateway.config.checks.rules import rule_faults
from strangler_gateway.config.checks.secrets import secret_faults
from strangler_gateway.config.checks.warnings import warnings_of
from strangler_gateway.config.compile import compile_table
from strangler_gateway.config.faults import Fault
from strangler_gateway.config.identity_model import identity_entries
from strangler_gateway.config.model import RoutesFile
from strangler_gateway.config.yaml.source import LocatedYaml, read
from strangler_gateway.table.routes import RouteTable

MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Report:
    """`table` is None exactly when there is a fault; both lists have the order of the file."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    table: RouteTable | None


def check_text(text: str, environ: Mapping[str, str], find_plugin: Callable[[str], object] | None = None) -> Report:
    """Checks a routes file; its variables come from `environ`. Never raises.

    `find_plugin` raises a ValueError for an identity plugin that cannot be imported here; None: nobody looks.
    """
    source = read(text, environ)
    faults = source.faults + secret_faults(text, source)
    if not source.data and faults:
        return _refused(faults)
    file, found = validated(source)
    faults += found + rule_faults(source)
    if file is not None and find_plugin is not None:
        faults += _plugin_faults(source, file, find_plugin)
    if faults or file is None:
        return _refused(faults)
    table = compile_table(file, [source.line(("routes", at)) for at in range(len(file.routes))])
    faults = [source.fault(place, message) for place, message in unmatched_calls(table)]
    if faults:
        return _refused(faults)
    return Report((), tuple(sorted(warnings_of(source, file, environ))), table)


def _plugin_faults(source: LocatedYaml, file: RoutesFile, find_plugin: Callable[[str], object]) -> Iterator[Fault]:
    for place, entry in identity_entries(file.identity):
        if entry.plugin is None or not entry.enabled:
            continue
        try:
            find_plugin(entry.plugin)
        except ValueError as exc:
            yield source.fault((*place, "plugin"), str(exc))


def _refused(faults: list[Fault]) -> Report:
    shown = sorted(set(faults))
    if len(shown) > MAX_FAULTS:
        last = shown[MAX_FAULTS - 1].line
        shown = [*shown[:MAX_FAULTS], Fault(last, "", f"{len(shown) - MAX_FAULTS} more faults are not shown")]
    return Report(tuple(shown), (), None)
