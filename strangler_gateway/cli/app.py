"""The command `strangler`: inspect a running gateway, move its routes, check its file, run it."""

import sys
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chassis.imports import collector_off
from chassis.terminal import HELP_OPTIONS, careful_output

COMMANDS = {
    "routes": "queries.routes",
    "services": "queries.services",
    "gate": "queries.evidence",
    "evidence": "queries.evidence",
    "flip": "moves.flip",
    "rollback": "moves.rollback",
    "plan": "moves.plans",
    "advance": "moves.plans",
    "pause": "moves.plans",
    "resume": "moves.plans",
    "approve": "moves.plans",
    "release": "moves.rollback",
    "gateways": "queries.gateways",
    "adopt": "moves.routes_file",
    "log": "queries.log",
    "diff": "queries.diff",
    "differences": "queries.differences",
    "explain": "queries.explain",
    "top": "queries.top",
    "inventory": "queries.inventory",
    "retire-report": "queries.retirement",
    "verify-report": "queries.retirement",
    "reload": "moves.routes_file",
    "record": "recording.record",
    "replay": "recording.replay",
    "export": "files.export",
    "import": "files.imports",
    "serve": "serve",
    "check": "files.check",
    "init": "files.init",
    "schema": "files.check",
}
"""The module of each command, in the order of the help."""


class LazyCommands(TyperGroup):
    """Imports the module of the command that is called, and all of them for the help alone: a flip starts at once."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]  # names alone; get_command builds

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; None: there is none."""
        return _command(cmd_name) if cmd_name in COMMANDS else None


def _command(name: str) -> Any:
    module = import_module(f"strangler_gateway.cli.{COMMANDS[name]}")
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    function = f"{name}_" if iskeyword(name) else name.replace("-", "_")
    single.command(name)(getattr(module, function))
    return typer.main.get_command(single)


app = typer.Typer(
    name="strangler",
    cls=LazyCommands,
    help="Move routes from a monolith to services, one at a time, while it runs.\n\n"
    "Exit codes: 0 done, 1 refused, 2 usage, 3 no gateway answers.",
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # only who asks pays for the import

        print(f"strangler {version('strangler-gateway')}")
        raise typer.Exit


@app.callback()
def _group(
    wanted: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point of the script. The gateway itself goes on if nobody reads what it prints."""
    if sys.argv[1:2] == ["serve"]:
        with collector_off():
            import_module("strangler_gateway.cli.serve")
        app(prog_name="strangler")
    with careful_output():
        app(prog_name="strangler")


if __name__ == "__main__":
    main()
