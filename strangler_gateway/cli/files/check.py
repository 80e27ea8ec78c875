"""What a routes file may be, and whether one is: `check`, `schema`."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import DONE, REFUSED, USAGE, fail
from strangler_gateway.cli.options import AsJson, RoutesFileArgument, routes_file
from strangler_gateway.cli.output import plain
from strangler_gateway.config.checks.check import Report, check_text
from strangler_gateway.config.file import json_schema
from strangler_gateway.identity.plugin import find_factory
from strangler_gateway.migration.routes_file.edit import read


def check(
    file: RoutesFileArgument = None,
    routes: Annotated[Path | None, typer.Option(help="The same as FILE, as `serve` spells it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a routes file and print every fault with its line.

    Variables come from this environment. An identity plugin is imported, but not called.
    """
    file = routes_file(file, routes, as_json) or Path("routes.yaml")
    try:
        report = check_text(read(file), os.environ, find_factory)
    except (OSError, ValueError) as exc:
        fail(USAGE, "unreadable", f"{file} cannot be read: {reason(exc)}", as_json)
    if as_json:
        print(json.dumps(_report(report), ensure_ascii=False))
    else:
        _show(file, report)
    raise typer.Exit(REFUSED if report.faults else DONE)


def schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of the routes file, for editors."""
    print(json.dumps(json_schema(), indent=None if as_json else 2))


def _show(file: Path, report: Report) -> None:
    for fault in report.faults:
        print(plain(f"{file}: {fault}"))
    for warning in report.warnings:
        print(plain(f"{file}: warning: {warning}"))
    if report.table is not None:
        table = report.table
        print(f"{file}: {len(table.routes)} routes, {len(table.movables)} movables, digest {table.digest}")
    else:
        print(f"{len(report.faults)} faults", file=sys.stderr)


def _report(report: Report) -> dict[str, object]:
    return {
        "faults": list(map(asdict, report.faults)),
        "warnings": list(map(asdict, report.warnings)),
        "digest": report.table.digest if report.table else None,
    }
