"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated

import typer

from strangler_gateway.cli.client import USAGE, credential, fail
from strangler_gateway.cli.http_call import CallFailed, call

DEFAULT_ADMIN = "http://127.0.0.1:8081"
COMPLETION_TIMEOUT_S = 0.5


def movables(context: typer.Context, incomplete: str) -> list[str]:
    """Completes names by asking the gateway, if it answers at once."""
    first = str(context.params.get("admin") or DEFAULT_ADMIN).split(",")[0].strip()
    url = f"{first.rstrip('/')}/routes?counters=own"
    try:
        with call("GET", url, credential(), None, COMPLETION_TIMEOUT_S) as answer:
            routes = json.loads(answer.body())["routes"]
        names = sorted({str(route["unit"]) for route in routes})
    except (CallFailed, OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="STRANGLER_ADMIN_URL",
        metavar="URL[,URL]...",
        help="The gateway's admin port; of several, the first that answers. A rollback goes to all of them. "
        "The credential comes from STRANGLER_ADMIN_TOKEN or STRANGLER_ADMIN_TOKEN_FILE.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
MovableName = Annotated[
    str, typer.Argument(metavar="GROUP|ROUTE", help="A group, or a route without a group.", autocompletion=movables)
]
MovableOrAll = Annotated[
    str | None, typer.Argument(metavar="[GROUP|ROUTE]", help="A group, or a route.", autocompletion=movables)
]

RoutesFileArgument = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The routes file.  [default: routes.yaml]", show_default=False)
]


def routes_file(argument: Path | None, option: Path | None, as_json: bool) -> Path | None:
    """The routes file that is given as an argument or with --routes; None: neither."""
    if argument is not None and option is not None and argument != option:
        fail(USAGE, "usage", f"two routes files: {argument}, and {option} in --routes; give one", as_json)
    return argument or option


def given_admin(context: typer.Context) -> str | None:
    """The admin URL if it was typed: a command to paste repeats it."""
    source = context.get_parameter_source("admin")
    return str(context.params["admin"]) if source and source.name == "COMMANDLINE" else None
