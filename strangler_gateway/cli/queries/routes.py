"""The command that lists the routes: where each goes, and its counters."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from strangler_gateway.cli.client import USAGE, AdminClient, Answer
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, movables
from strangler_gateway.cli.output import moment, plain, show_table, where
from strangler_gateway.cli.queries.route_filter import RouteFilter
from strangler_gateway.table.routes import MigrationState

_NUMBERS = frozenset({"legacy", "extracted", "errors", "unanswered", "compared", "differ", "requests", "limited"})


def routes(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP|ROUTE]...", help="Only these groups or routes.", autocompletion=movables),
    ] = None,
    state: Annotated[list[MigrationState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    moved: Annotated[bool, typer.Option("--moved", help="Only those that have left legacy.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Only those with errors on either side.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """List the routes: where each goes, and its counters.

    Several filters together show the routes that pass all of them.
    """
    client = AdminClient(admin, as_json)
    chosen = RouteFilter(frozenset(names or ()), frozenset(state or ()), moved, errors)
    answer = client.get("routes")
    unknown = chosen.unknown(answer["routes"])
    if unknown:
        client.fail(USAGE, "unknown", f"no group or route is called {', '.join(unknown)}; `strangler routes` lists all")
    answer = {**answer, "routes": [route for route in answer["routes"] if chosen.takes(route)]}
    client.end_as_json(answer)
    _show_routes(answer)
    if answer["undeclared"] and not chosen:
        print("\nundeclared traffic, by path shape")
        shapes = [(shape["requests"], shape["shape"]) for shape in answer["undeclared"][:20]]
        show_table(("requests", "shape"), shapes, _NUMBERS)


def _show_routes(answer: Answer) -> None:
    columns = ("route", "match", "group", "state", "legacy", "extracted", "errors", "unanswered", "compared", "differ")
    limited = any(route["limit"] for route in answer["routes"])
    accepted = any(route["shadow"]["accepted"] for route in answer["routes"])
    more = ("since", "new end", *(("limit", "limited") if limited else ()), *(("accepted",) if accepted else ()))
    if answer["routes"]:
        rows = [_row(one) + _limit(one, limited) + _accepting(one, accepted) for one in answer["routes"]]
        show_table((*columns, *more), rows, _NUMBERS)
    else:
        print("no route passes these filters")
    print(f"\ncounted since {moment(answer['since'])}; table {answer['digest']}")
    for problem in (*_problems(answer), *answer["lagging"], *answer["silent"]):
        print(plain(problem))


def _row(route: Mapping[str, Any]) -> tuple[object, ...]:
    methods = ",".join(route["methods"] or ["*"])
    errors = route["errors"]["legacy"] + route["errors"]["extracted"]
    requests, shadow = route["requests"], route["shadow"]
    group = route["unit"] if route["kind"] == "group" else "-"
    marks = [*(["held"] if route["held"] else []), *([] if route["confirmed"] else ["unconfirmed"])]
    state = where(route) + (f" ({', '.join(marks)})" if marks else "")
    unanswered = route["unanswered"]["legacy"]
    new = (requests["extracted"], errors, unanswered, shadow["compared"], shadow["different"])
    end = route["extracted"] or route["publish"] or route["aggregate"] or "no new end"
    seen = new if route["new_end"] else ("-", errors, unanswered, "-", "-")
    match = f"{methods} {route['path']}"
    return route["id"], match, group, state, requests["legacy"], *seen, moment(route["moved_at"]), end


def _limit(route: Mapping[str, Any], shown: bool) -> tuple[object, ...]:
    if not shown:
        return ()
    return (route["limit"], route["limited"]) if route["limit"] else ("-", "-")


def _accepting(route: Mapping[str, Any], shown: bool) -> tuple[object, ...]:
    """Answers that differ in nothing but what `accept:` names; only where there are any."""
    return (route["shadow"]["accepted"],) if shown else ()


def _problems(answer: Answer) -> list[str]:
    found = [f"the file has a fault, so an older table is in use: {fault}" for fault in answer["faults"]]
    problem, store = answer["state_dir"]["problem"], answer["store_problem"]
    found += [f"flips are off: {problem}"] if problem else []
    found += [f"nothing but a rollback moves through this gateway: {store}"] if store else []
    limits = answer["limits"]
    if limits["problem"]:
        found.append(f"rate limits are not shared: Redis at {limits['redis']} cannot count: {limits['problem']}")
    turns = answer["serialize"]["problem"]
    found += [f"writes of `serialize: user` are refused: Redis gives no turns: {turns}"] if turns else []
    return found
