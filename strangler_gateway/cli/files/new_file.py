"""Writes what a command has made into a file that must not exist yet."""

from pathlib import Path

from chassis.error_reason import reason
from strangler_gateway.cli.client import REFUSED, USAGE, fail
from strangler_gateway.config.init.first_file import write_new


def write_output(output: Path, text: str, as_json: bool) -> None:
    """Ends the command if the file exists or cannot be written."""
    try:
        write_new(output, text)
    except FileExistsError:
        fail(REFUSED, "exists", f"{output} exists and is not overwritten; name another file with --output", as_json)
    except OSError as exc:
        fail(USAGE, "unwritable", f"{output} cannot be written: {reason(exc)}", as_json)
