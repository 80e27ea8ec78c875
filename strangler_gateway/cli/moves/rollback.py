"""The commands that send groups home, and end the hold that this sets: rollback, release."""

from typing import Annotated

import typer

from strangler_gateway.cli.client import DONE, REFUSED, USAGE, AdminClient
from strangler_gateway.cli.moves.move_output import end, reached_lines, show
from strangler_gateway.cli.moves.rollback_at_all import roll_back_at_all
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableOrAll, given_admin
from strangler_gateway.cli.output import plain


def rollback(
    context: typer.Context,
    unit: MovableOrAll = None,
    everything: Annotated[bool, typer.Option("--all", help="All groups and routes that have left legacy.")] = False,
    why: Annotated[str, typer.Option(help="The reason, for the journal; optional.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Send a group or route back to the monolith at once. Never refused.

    Works from any state and asks no question. It puts the group on hold: nothing moves it forward until
    `strangler release`. With several URLs in --admin it goes to every one of them.
    """
    client = _one_or_all(unit, everything, admin, as_json)
    wish = {"unit": unit, "all": everything, "why": why}
    answer = roll_back_at_all(client, wish) if len(client.urls) > 1 else client.post("rollback", **wish)
    if not as_json:
        for outcome in answer["units"]:
            show(outcome, given_admin(context))
        if not answer["units"]:
            print("nothing to roll back: everything is in legacy")
        for line in reached_lines(answer, "--all" if unit is None else unit):
            print(plain(line))
    end(answer, as_json, DONE)


def release(
    context: typer.Context,
    unit: MovableOrAll = None,
    everything: Annotated[bool, typer.Option("--all", help="All groups and routes that are on hold.")] = False,
    why: Annotated[str, typer.Option(help="The reason, for the journal.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """End the hold that a rollback has set.

    Moves nothing; afterwards a flip can.
    """
    client = _one_or_all(unit, everything, admin, as_json)
    answer = client.post("release", unit=unit, all=everything, why=why)
    outcomes = answer["units"] if everything else [answer]
    if not as_json:
        for outcome in outcomes:
            show(outcome, given_admin(context), "the release", still="is no longer on hold; its state is")
        if not outcomes:
            print("nothing to release: nothing is on hold")
    end(answer, as_json, DONE if all(outcome["done"] for outcome in outcomes) else REFUSED)


def _one_or_all(unit: str | None, everything: bool, admin: str, as_json: bool) -> AdminClient:
    client = AdminClient(admin, as_json)
    if (unit is None) != everything:
        client.fail(USAGE, "usage", "name a group or route, or use --all")
    return client
