"""The commands that need no running gateway: check, init, schema, serve."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from strangler_gateway.check import Report, check_text
from strangler_gateway.cli_client import DONE, REFUSED, USAGE, fail
from strangler_gateway.cli_options import AsJson
from strangler_gateway.cli_text import plain
from strangler_gateway.edit_file import read
from strangler_gateway.faults import Fault
from strangler_gateway.routes_file import json_schema
from strangler_gateway.settings import Settings


def check(
    file: Annotated[Path, typer.Argument(help="The routes file.")] = Path("routes.yaml"), as_json: AsJson = False
) -> None:
    """Check a routes file: every fault, with its line. Variables come from this environment."""
    try:
        report = check_text(read(file), os.environ)
    except (OSError, ValueError) as exc:
        fail(USAGE, "unreadable", f"{file} cannot be read: {exc}", as_json)
    if as_json:
        print(json.dumps(_report(report), ensure_ascii=False))
    else:
        _show(file, report)
    raise typer.Exit(REFUSED if report.faults else DONE)


def schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of the routes file, for editors."""
    print(json.dumps(json_schema(), indent=None if as_json else 2))


def serve(
    routes: Annotated[Path | None, typer.Option(help="The routes file.  [default: routes.yaml]")] = None,
    host: Annotated[str | None, typer.Option(help="Where clients come in.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8080]")] = None,
    admin_host: Annotated[str | None, typer.Option(help="Of the admin API.  [default: 127.0.0.1]")] = None,
    admin_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8081]")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Journal, counters, signing key.  [default: .strangler beside the routes file]")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM; read again when it changes.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM, of the certificate.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the gateway. Every option may also be set as STRANGLER_…; secrets only so, or as STRANGLER_…_FILE."""
    from strangler_gateway.main import serve as run  # a look or a flip does not wait for the proxy's modules

    given: dict[str, Any] = {
        "routes": routes,
        "host": host,
        "port": port,
        "admin_host": admin_host,
        "admin_port": admin_port,
        "state_dir": state_dir,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
    }
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, OSError) as exc:
        fail(USAGE, "settings", _without_values(exc), as_json)
    raise typer.Exit(run(settings))


def _without_values(exc: Exception) -> str:
    """Which setting is wrong; what was set may be a secret."""
    if not isinstance(exc, ValidationError):
        return str(exc)
    faults = exc.errors(include_input=False, include_url=False)
    return "; ".join(f"STRANGLER_{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in faults)


def _show(file: Path, report: Report) -> None:
    for fault in report.faults:
        print(plain(f"{file}: {fault}"))
    for warning in report.warnings:
        print(plain(f"{file}: warning: {warning}"))
    if report.table is not None:
        table = report.table
        print(f"{file}: {len(table.routes)} routes, {len(table.units)} units, digest {table.digest}")
    else:
        print(f"{len(report.faults)} faults", file=sys.stderr)


def _report(report: Report) -> dict[str, object]:
    return {
        "faults": list(map(_fault, report.faults)),
        "warnings": list(map(_fault, report.warnings)),
        "digest": report.table.digest if report.table else None,
    }


def _fault(fault: Fault) -> dict[str, object]:
    return {"line": fault.line, "where": fault.where, "message": fault.message}
