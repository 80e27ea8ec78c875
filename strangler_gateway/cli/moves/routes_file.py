"""The commands that take over what the routes file says: adopt, reload."""

from typing import Annotated

import typer

from strangler_gateway.cli.client import DONE, REFUSED, AdminClient
from strangler_gateway.cli.moves.move_output import end, show
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName, given_admin
from strangler_gateway.cli.output import plain


def adopt(
    context: typer.Context,
    unit: MovableName,
    why: Annotated[str, typer.Option(help="The reason, for the journal.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Take over the state that the routes file gives a group or route.

    For a group about which no gateway of several knows anything: they serve it from the monolith until somebody
    decides. A gateway that is alone does this by itself.
    """
    outcome = AdminClient(admin, as_json).post("adopt", unit=unit, why=why)
    if not as_json:
        show(outcome, given_admin(context), "what the file says")
    end(outcome, as_json, DONE if outcome["done"] else REFUSED)


def reload(admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Make the gateway read its routes file again.

    Prints the digest of the table in use, or every fault of the file; after a fault the old table stays in use.
    """
    answer = AdminClient(admin, as_json).post("reload")
    if not as_json:
        for outcome in (*answer["moved"], *answer["kept"]):
            show(outcome, None, "what the file asks for")
        for fault in answer["faults"]:
            print(plain(fault))
        serves = "the old table stays in use" if answer["faults"] else "the file is accepted; it is in use now"
        print(f"{serves}: {answer['digest']}")
    end(answer, as_json, REFUSED if answer["faults"] else DONE)
