"""The command `strangler`: look at a running gateway, move its routes, check its file, run it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from strangler_gateway.cli import files as cli_files
from strangler_gateway.cli import inventory as cli_inventory
from strangler_gateway.cli import moves as cli_moves
from strangler_gateway.cli import queries as cli_looks
from strangler_gateway.cli import record as cli_record
from strangler_gateway.cli import replay as cli_replay
from strangler_gateway.cli.client import USAGE, fail
from strangler_gateway.cli.options import AsJson
from strangler_gateway.settings import Settings

app = typer.Typer(
    name="strangler",
    help="Move routes from a monolith to services, one at a time, while it runs.\n\n"
    "Exit codes: 0 done, 1 refused, 2 usage, 3 no gateway answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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


_COMMANDS: tuple[Callable[..., None], ...] = (
    cli_looks.routes,
    cli_moves.flip,
    cli_moves.rollback,
    cli_moves.release,
    cli_looks.log,
    cli_looks.diff,
    cli_looks.differences,
    cli_looks.explain,
    cli_inventory.inventory,
    cli_moves.reload,
    cli_record.record,
    cli_replay.replay,
    serve,
    cli_files.check,
    cli_files.init,
    cli_files.schema,
)
for _command in _COMMANDS:
    app.command()(_command)


def main() -> None:
    """The entry point of the script."""
    app(prog_name="strangler")


if __name__ == "__main__":
    main()
