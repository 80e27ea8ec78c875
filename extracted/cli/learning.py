"""`polycode learning`: keeps Learning's documents in order."""

from typing import Annotated

import typer

from extracted.cli import text
from extracted.cli.client import OperationsClient
from extracted.cli.options import AsJson

app = typer.Typer(help="Keep the documents of contents in order.", no_args_is_help=True)
Age = Annotated[
    int, typer.Option("--older-than", metavar="SECONDS", min=60, help="Only nodes that are at least this old.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
_KINDS = (("components", "removed"), ("validators", "removed"), ("restored", "written again"))


@app.command()
def tidy(older_than: Age = 900, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove components and validators that a crash has left; write again those that a content names and misses.

    It can run at any time, beside requests and more than once.
    """
    answer = OperationsClient("learning", as_json).post("contents/tidy", dryRun=dry_run, olderThanS=older_than)
    rows = [(kind, one, f"would be {done}" if dry_run else done) for kind, done in _KINDS for one in answer[kind]]
    text.show(answer, ("what", "id", "result"), rows, as_json=as_json, empty="nothing to tidy")
