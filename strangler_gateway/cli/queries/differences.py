"""The command that shows which answers differed in shadow."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import example_lines, plain, show_silent, show_table


def differences(
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="The id of a route.")],
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show which answers differed in shadow.

    Each difference by name (kind and place): how many answers, and whether `accept:` in routes.yaml leaves it out. Then
    one example of each sort of answer, the latest first; values only where the route allows it.
    """
    answer = AdminClient(admin, as_json).report("differences", route=route)
    if answer["names"]:
        rows = [(one["answers"], one["kind"], one["path"], _accepted(one)) for one in answer["names"]]
        show_table(("answers", "kind", "place", "accepted"), rows, frozenset({"answers"}))
        print()
    for example in answer["differences"]:
        print("\n".join(map(plain, example_lines(example))))
    if not answer["differences"]:
        print("no difference was seen")
    show_silent(answer)


def _accepted(one: Mapping[str, Any]) -> str:
    if one["why"] is None:
        return "-"
    until = f" until {one['until']}" if one["until"] else ""
    return f"{'yes' if one['accepted'] else 'no longer'}{until}: {one['why']}"
