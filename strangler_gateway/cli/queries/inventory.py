"""The command `inventory`: how far the migration has come."""

from collections.abc import Mapping
from typing import Any

from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import moment, plain, show_silent, show_table

SHOWN = 50
_COLUMNS = ("route", "match", "state", "legacy", "extracted", "share", "users legacy", "users extracted", "last legacy")


def inventory(admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Show what is left to migrate.

    Requests and users per side, days since the monolith was last used, declared routes without traffic, and traffic
    without a declared route. Users are an estimate: verified ids where the gateway checks them, else credentials.
    """
    answer = AdminClient(admin, as_json).report("inventory")
    rows = [_row(route["id"], _match(route), route["state"], route, _days(route)) for route in answer["routes"]]
    rows.append(_row("all", "", "", answer["total"], ""))
    show_table(_COLUMNS, rows, frozenset(_COLUMNS[3:]))
    print(f"\nrequests since {moment(answer['since'])}, users since {moment(answer['users_since'])}")
    silent = answer["without_traffic"]
    print(plain(f"declared, without traffic: {', '.join(silent) or 'none'}"))
    if answer["undeclared"]:
        print("\ntraffic without a declared route, by path shape")
        shapes = [(shape["requests"], shape["shape"]) for shape in answer["undeclared"][:SHOWN]]
        show_table(("requests", "shape"), shapes, frozenset({"requests"}))
    else:
        print("traffic without a declared route: none")
    show_silent(answer)


def _row(name: str, match: str, state: str, seen: Mapping[str, Any], last: str) -> tuple[object, ...]:
    requests, users = seen["requests"], seen["users"]
    share = "-" if seen["share"] is None else f"{seen['share']:g} %"
    return (
        name,
        match,
        state,
        requests["legacy"],
        requests["extracted"],
        share,
        users["legacy"],
        users["extracted"],
        last,
    )


def _match(route: Mapping[str, Any]) -> str:
    return f"{','.join(route['methods'] or ['*'])} {route['path']}"


def _days(route: Mapping[str, Any]) -> str:
    days = route["days_since_legacy"]
    return "never" if days is None else "today" if days < 1 else f"{days:g} days ago"
