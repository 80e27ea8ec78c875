"""The command `strangler`: look at a running gateway, move its routes, check its file, run it."""

from collections.abc import Callable

import typer

from strangler_gateway import cli_files, cli_looks, cli_moves

app = typer.Typer(
    name="strangler",
    help="Move routes from a monolith to services, one at a time, while it runs.\n\n"
    "Exit codes: 0 done, 1 refused, 2 usage, 3 no gateway answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_COMMANDS: tuple[Callable[..., None], ...] = (
    cli_looks.routes,
    cli_moves.flip,
    cli_moves.rollback,
    cli_moves.release,
    cli_looks.log,
    cli_looks.diff,
    cli_looks.differences,
    cli_looks.explain,
    cli_moves.reload,
    cli_files.serve,
    cli_files.check,
    cli_files.schema,
)
for _command in _COMMANDS:
    app.command()(_command)


def main() -> None:
    """The entry point of the script."""
    app(prog_name="strangler")


if __name__ == "__main__":
    main()
