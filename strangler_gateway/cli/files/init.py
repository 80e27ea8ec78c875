"""A first routes file: `init`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import USAGE, fail
from strangler_gateway.cli.files.new_file import write_output
from strangler_gateway.cli.options import AsJson
from strangler_gateway.config.init.first_file import init_text


def init(
    upstream: Annotated[str, typer.Option(metavar="URL", help="The address of the monolith.")],
    openapi: Annotated[Path | None, typer.Option(metavar="FILE", help="Its OpenAPI document, JSON or YAML.")] = None,
    access_log: Annotated[Path | None, typer.Option(metavar="FILE", help="Its access log, CLF or JSON.")] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")] = Path("routes.yaml"),
    as_json: AsJson = False,
) -> None:
    """Write a first routes file, with everything in legacy.

    It has a route for each path shape in the OpenAPI document or the access log. Never overwrites a file.
    """
    try:
        text = _init_text(upstream, openapi, access_log)
    except OSError as exc:
        fail(USAGE, "usage", f"{exc.filename} cannot be read: {reason(exc)}", as_json)
    except ValueError as exc:
        fail(USAGE, "usage", str(exc), as_json)
    write_output(output, text, as_json)
    if as_json:
        print(json.dumps({"file": str(output)}))
    else:
        print(f"{output} is written; next: strangler check {output}")


def _init_text(upstream: str, openapi: Path | None, access_log: Path | None) -> str:
    document = openapi.read_text(encoding="utf-8") if openapi else None
    if access_log is None:
        return init_text(upstream, openapi=document)
    with access_log.open(encoding="utf-8", errors="replace") as lines:
        return init_text(upstream, openapi=document, access_log=lines)
