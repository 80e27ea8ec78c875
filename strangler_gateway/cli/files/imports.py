"""The command `import`: a first routes file from another proxy's configuration."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import REFUSED, USAGE, fail
from strangler_gateway.cli.files.new_file import write_output
from strangler_gateway.cli.options import AsJson
from strangler_gateway.importing import envoy, httproute, nginx
from strangler_gateway.importing.found import MAX_BYTES, FoundConfiguration, ImportRefused
from strangler_gateway.importing.write import routes_text
from strangler_gateway.migration.saved import whole_file


class ImportSource(StrEnum):
    """What can be read."""

    NGINX = "nginx"
    ENVOY = "envoy"
    HTTPROUTE = "httproute"


_READERS: Mapping[ImportSource, Callable[[str], FoundConfiguration]] = {
    ImportSource.NGINX: nginx.read,
    ImportSource.ENVOY: envoy.read,
    ImportSource.HTTPROUTE: httproute.read,
}


def import_(
    source: Annotated[ImportSource, typer.Argument(help="What FILE is the configuration of.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of printing. Never overwrites a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a first routes file from the configuration of another proxy.

    Each guess is a comment; what was not understood is named with its line. The result passes `strangler check`.
    """
    try:
        found = _READERS[source](whole_file.read(file, MAX_BYTES).decode())
        text = routes_text(found, source)
    except ImportRefused as exc:
        fail(REFUSED, "not_imported", f"{file}: {exc}", as_json)
    except (OSError, ValueError) as exc:
        fail(USAGE, "unreadable", f"{file} cannot be read: {reason(exc)}", as_json)
    if output is not None:
        write_output(output, text, as_json)
    if as_json:
        problems = [{"what": what, "lines": lines} for what, lines in found.problems.items()]
        print(json.dumps({"text": text, "not_understood": problems}, ensure_ascii=False))
    elif output is None:
        print(text, end="")
