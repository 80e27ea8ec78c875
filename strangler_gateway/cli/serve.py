"""The command `serve`: the gateway itself."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from chassis.imports import collector_off
from strangler_gateway.cli.client import USAGE, fail
from strangler_gateway.cli.options import AsJson, RoutesFileArgument, routes_file
from strangler_gateway.settings import Settings


def serve(
    file: RoutesFileArgument = None,
    routes: Annotated[Path | None, typer.Option(help="The same as FILE.")] = None,
    host: Annotated[str | None, typer.Option(help="The address that clients connect to.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free port.  [default: 8080]")] = None,
    admin_host: Annotated[str | None, typer.Option(help="The address of the admin API.  [default: 127.0.0.1]")] = None,
    admin_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free port.  [default: 8081]")
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="For journal, counters, signing key.  [default: .strangler beside the routes file]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve the public port.  [default: 1]")
    ] = None,
    reuse_port: Annotated[
        bool, typer.Option("--reuse-port", help="Take over from the gateway that runs, without a lost request.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file; it is read again when it changes.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with the key of the certificate.")] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(help="Shared rate limits and turns. With a password: only in STRANGLER_REDIS_URL(_FILE)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the gateway.

    Each option can also be set in the environment as STRANGLER_…. Secrets can only be set there, or in a file that
    STRANGLER_…_FILE names.
    """
    with collector_off():
        from strangler_gateway.main import serve as run_gateway  # the help of all commands does not need the server

    given: dict[str, Any] = {
        "routes": routes_file(file, routes, as_json),
        "host": host,
        "port": port,
        "admin_host": admin_host,
        "admin_port": admin_port,
        "state_dir": state_dir,
        "workers": workers,
        "reuse_port": reuse_port or None,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "redis_url": _without_password(redis_url, as_json),
    }
    raise typer.Exit(run_gateway(_settings(given, as_json)))


def _settings(given: dict[str, Any], as_json: bool) -> Settings:
    """From the environment, with what the command line has given."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, OSError) as exc:
        fail(USAGE, "settings", _without_values(exc), as_json)


def _without_password(url: str | None, as_json: bool) -> str | None:
    """Everybody on the machine sees a command line."""
    if url is not None and "@" in url:
        fail(USAGE, "usage", "a password does not belong on a command line; set STRANGLER_REDIS_URL_FILE", as_json)
    return url


def _without_values(exc: Exception) -> str:
    """Names the wrong settings without their values: a value may be a secret."""
    if not isinstance(exc, ValidationError):
        return str(exc)
    faults = exc.errors(include_input=False, include_url=False)
    return "; ".join(f"STRANGLER_{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in faults)
