"""The command that compares the routes file with what is served."""

from typing import Annotated

import typer

from strangler_gateway.cli.client import DONE, REFUSED, AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import plain, where


def diff(
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if they differ.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show how the routes file differs from what is served."""
    client = AdminClient(admin, as_json)
    answer = client.get("diff")
    code = REFUSED if exit_code and not answer["same"] else DONE
    client.end_as_json(answer, code)
    for fault in answer["faults"]:
        print(plain(fault))
    for one in answer["units"]:
        print(plain(f"{one['unit']}: file {where(one['file'])}, served {where(one['served'])}: {one['reason']}"))
    for what in ("added", "removed", "changed"):
        if answer[what]:
            print(plain(f"{what} in the file: {', '.join(answer[what])}"))
    if answer["faults"]:
        print(f"the file cannot be used; table {answer['served_digest']} stays in use")
    elif answer["unread"]:
        print("the file has changed since it was read; `strangler reload` reads it")
    if answer["same"]:
        print(f"the file matches the served table {answer['served_digest']}")
    raise typer.Exit(code)
