"""The command that shows who moved what, when and why."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import moment, show_table, where


def log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the latest entries.")] = 20,
    unit: Annotated[str | None, typer.Option(help="Only of this group or route.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show who moved what, when and why.

    The newest entry comes last.
    """
    answer = AdminClient(admin, as_json).report("log", limit=limit, unit=unit)
    columns = ("time", "what", "group", "move", "who", "why")
    show_table(columns, [_entry(entry) for entry in answer["entries"]])


def _entry(entry: Mapping[str, Any]) -> tuple[object, ...]:
    before = where(entry["before"]) if entry["before"] else "-"
    after = where(entry.get("asked") or entry["after"])
    move = before if before == after else f"{before} → {after}"
    reasons = entry.get("reasons", ())
    if entry["forced"]:
        reasons = [f"forced: {reason}" for reason in reasons or entry["forced"]]
    why = [entry["why"], *reasons]
    what = f"{entry['event']} (automatic)" if entry.get("automatic") else entry["event"]
    return moment(entry["time"]), what, entry["unit"], move, entry["who"], "; ".join(filter(None, why))
