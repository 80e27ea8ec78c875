"""`polycode runner`: examines the machine on which the Runner is to work."""

import subprocess
import sys

import typer

from extracted.cli.options import AsJson

app = typer.Typer(help="Examine the machine for the Runner's sandbox.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `doctor` a verb of its own."""


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show which sandbox the Runner takes on this machine, and what each lacks.

    It reads the RUNNER_… variables as the Runner does. Exit codes: 0 the Runner starts with all protections that its
    sandbox relies on, 1 it does not, 2 wrong settings.
    """
    command = [sys.executable, "-m", "extracted.runner", "doctor", *(["--json"] if as_json else [])]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603  # our own module
