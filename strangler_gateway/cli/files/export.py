"""The command `export`: the table as the configuration of another proxy."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import REFUSED, USAGE, AdminClient, fail
from strangler_gateway.cli.options import AsJson
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at, with_addresses, with_states
from strangler_gateway.export.patch import moved, patch
from strangler_gateway.export.rules import ExportOptions, ExportRefused
from strangler_gateway.export.targets import ExportedTable, report_lines
from strangler_gateway.export.targets import export as exported
from strangler_gateway.migration.routes_file.edit import NotEdited, read
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.table.position import place
from strangler_gateway.table.routes import RouteTable


class ExportTarget(StrEnum):
    """What can be written."""

    HTTPROUTE = "httproute"
    ENVOY = "envoy"
    NGINX = "nginx"
    CONSUL = "consul"
    PATCH = "patch"


def export(
    target: Annotated[ExportTarget, typer.Argument(help="For which proxy.")],
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The routes file.")] = Path("routes.yaml"),
    admin: Annotated[
        str | None, typer.Option(metavar="URL", help="Take the states from this gateway, not from the file.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of printing.")] = None,
    report: Annotated[bool, typer.Option("--report", help="Print only what the target cannot do.")] = False,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the proxy listens.")] = "0.0.0.0:8080",
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="A gateway for the routes that end in messages or several calls.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(metavar="URL", help="Who is asked who calls, before a service is.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE=URL", help="Where a service is; may be repeated.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Of the HTTPRoutes.")] = "default",
    parent: Annotated[str, typer.Option(help="The Gateway that the HTTPRoutes belong to.")] = "public",
    as_json: AsJson = False,
) -> None:
    """Write the table as it stands for another proxy, or what was moved as a patch of the routes file.

    The text begins with what that proxy cannot do for this table; --report prints that alone. The share of a canary
    becomes a weight. Variables of the file come from this environment. Changes nothing.
    """
    if target is ExportTarget.PATCH:
        _write(_patch(file, admin, as_json), output, as_json)
        return
    try:
        options = ExportOptions(
            listen=_place(listen),
            gateway=service_at("strangler-gateway", gateway) if gateway else None,
            authority=service_at("strangler-authority", authority) if authority else None,
            namespace=namespace,
            parent=parent,
        )
        table = with_addresses(_table(file, admin, as_json), dict(map(_pair, address or [])))
    except (OSError, ValueError) as exc:
        faults = "\n".join(map(str, exc.faults)) if isinstance(exc, RoutesInvalid) else reason(exc)
        fail(USAGE, "usage", f"{file} cannot be exported: {faults}", as_json)
    try:
        result = exported(target, table, options)
    except ExportRefused as exc:
        fail(REFUSED, "not_exported", str(exc), as_json)
    _write(_shown(result, table, report, as_json), output, as_json)


def _table(file: Path, admin: str | None, as_json: bool) -> RouteTable:
    table = load(read(file), os.environ)
    return with_states(table, AdminClient(admin, as_json).get("routes")["routes"] if admin else None)


def _patch(file: Path, admin: str | None, as_json: bool) -> str:
    if admin is None:
        fail(USAGE, "usage", "a patch shows what a gateway serves: name its admin port with --admin", as_json)
    try:
        text = read(file)
        said = load(text, os.environ)
        edits = moved(said, with_states(said, AdminClient(admin, as_json).get("routes")["routes"]))
        found = patch(file.name, text, edits)
    except NotEdited as exc:
        fail(REFUSED, "not_exported", f"{file}: {exc}", as_json)
    except (OSError, ValueError) as exc:
        fail(USAGE, "usage", f"{file} cannot be used: {reason(exc)}", as_json)
    if as_json:
        units = [{"unit": one.unit, **(place(one.position) or {})} for one in edits]
        return json.dumps({"target": "patch", "units": units, "text": found}, ensure_ascii=False) + "\n"
    return found


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"--listen {text}: wanted HOST:PORT")
    return host.strip("[]"), int(port)


def _pair(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals:
        raise ValueError(f"--address {text}: wanted SERVICE=URL")
    return name, url


def _shown(result: ExportedTable, table: RouteTable, report: bool, as_json: bool) -> str:
    if as_json:
        said: Mapping[str, Any] = {"target": result.target, "missing": [asdict(one) for one in result.missing]}
        whole = {} if report else {"text": result.text, "documents": result.documents}
        return json.dumps({**said, **whole}, ensure_ascii=False) + "\n"
    return (
        "".join(f"{line}\n" for line in report_lines(result.target, table, result.missing)) if report else result.text
    )


def _write(text: str, output: Path | None, as_json: bool) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        whole_file.replace(output, text.encode(), 0o644)
    except OSError as exc:
        fail(USAGE, "unwritable", f"{output} cannot be written: {reason(exc)}", as_json)
