"""Options that several verbs have, and what their ids may look like."""

import re
from typing import Annotated

import typer

from extracted.cli.text import plain

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


After = Annotated[str | None, typer.Option("--after", metavar="ID", help="The page after this one.")]
"""Where the page before ended."""


def segment(name: str, hint: str = "ID") -> str:
    """The name as a segment of a path. Raises BadParameter."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f'"{plain(name)}" may only have letters, digits, - and _', param_hint=hint)
    return name
