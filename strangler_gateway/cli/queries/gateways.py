"""The command `gateways`: those that share a store, and forgetting one that has stopped for good."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from strangler_gateway.cli.client import DONE, USAGE, AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import moment, plain, show_table, where


class What(StrEnum):
    """What to do with a gateway."""

    FORGET = "forget"


def gateways(
    what: Annotated[What | None, typer.Argument(metavar="[forget]", help="Nothing: list them.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of the gateway to forget.")] = None,
    why: Annotated[str, typer.Option(help="The reason, for the journal.")] = "",
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """List the gateways that act as one: what each serves, and when it was seen.

    `forget NAME` is for a gateway that has crashed and will not come back: until then no move goes forward, because it
    may still serve users. A gateway that runs reports again by itself.
    """
    client = AdminClient(admin, as_json)
    if (what is None) != (name is None):
        client.fail(USAGE, "usage", "write `strangler gateways`, or `strangler gateways forget NAME`")
    if name is not None:
        answer = client.post("gateways/forget", name=name, why=why)
        if as_json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            print(plain(answer["message"]))
        raise typer.Exit(DONE)
    answer = client.report("gateways")
    rows = [_row(one) for one in answer["gateways"]]
    show_table(("gateway", "admin", "seen", "serves"), rows)
    for line in (*store_lines(answer["store"]), *([answer["problem"]] if answer["problem"] else [])):
        print(plain(line))


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    seen = "this one" if one["this"] else moment(one["at"]) if one["at"] else "-"
    other = [f"{unit} {where(place) if place else 'an older record'}" for unit, place in one["lagging"].items()]
    return one["name"], one["admin"] or "-", seen, ", ".join(other) or "the present table"


def store_lines(store: Mapping[str, Any] | None) -> list[str]:
    """What there is to know of the store."""
    if store is None:
        return ["this gateway is alone: STRANGLER_STORE is not set"]
    lines = [f"store {store['address']}, below {store['prefix']}; automatic moves: {store['driver'] or 'nobody'}"]
    if store["away_since"]:
        lines.append(
            f"nothing moves forward: the store has not answered since {moment(store['away_since'])}. "
            "`rollback` works without it"
        )
    return lines
