"""Options that several commands share."""

from typing import Annotated

import httpx
import typer

from strangler_gateway.cli.client import credential

DEFAULT_ADMIN = "http://127.0.0.1:8081"
COMPLETION_TIMEOUT_S = 0.5


def _units(context: typer.Context, incomplete: str) -> list[str]:
    """Completes names by asking the gateway, if it answers at once."""
    url = f"{context.params.get('admin') or DEFAULT_ADMIN}/routes"
    try:
        answer = httpx.get(url, headers=credential(), timeout=COMPLETION_TIMEOUT_S, trust_env=False).json()
        names = sorted({str(route["unit"]) for route in answer["routes"]})
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="STRANGLER_ADMIN_URL",
        metavar="URL",
        help="The gateway's admin port. The credential comes from STRANGLER_ADMIN_TOKEN or STRANGLER_ADMIN_TOKEN_FILE.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Unit = Annotated[
    str, typer.Argument(metavar="GROUP|ROUTE", help="A group, or a route that is in none.", autocompletion=_units)
]
UnitOrAll = Annotated[
    str | None, typer.Argument(metavar="[GROUP|ROUTE]", help="A group, or a route.", autocompletion=_units)
]


def given_admin(context: typer.Context) -> str | None:
    """The admin URL where it was typed: a command to paste needs it then."""
    source = context.get_parameter_source("admin")
    return str(context.params["admin"]) if source and source.name == "COMMANDLINE" else None
